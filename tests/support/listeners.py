"""A raw client for each technique, with one interface: connect, receive events in order, send, leave."""

import asyncio
import base64
import hashlib
import json
import os
from typing import ClassVar
from urllib.parse import quote

import pytest

from lab.catalogue import MODES, TECHNIQUES
from tests.support import binary_events, framings
from tests.support.base_listener import Listener, Receipt, Tally
from tests.support.framings import BINARY, CLOSE, PING, PONG, TEXT
from tests.support.wire import Answer, Body, Closed, Wire

each_technique = pytest.mark.parametrize("mode", MODES)
STREAMING = [mode for mode in MODES if TECHNIQUES[mode].verb == "stream"]
POLLING = [mode for mode in MODES if mode not in STREAMING]
WAITING = [mode for mode in MODES if TECHNIQUES[mode].verb == "wait"]
INTERVAL_S = 0.01
"""How long a short poller waits after an empty answer."""
CALLBACK = "lab.hear"
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Poller(Listener):
    """Asks again and again; between two questions there is nothing to miss, because the cursor is its own."""

    async def connect(self, after: str | None = None) -> "Listener":
        """Remember the cursor; for `latest`, ask for the current one."""
        self.cursor = after
        if after == "latest":
            await self.poll(hold="0")
        return self

    async def step(self) -> None:
        """Ask once."""
        await self.poll()

    async def poll(self, **query: str) -> Answer:
        """Ask once, and take the answer in."""
        await self.ask(**query)
        return await self.take_answer()

    async def ask(self, **query: str) -> None:
        """Send the question."""
        wire = await self._wire_to(self.receiving)
        await wire.request("GET", self.target(self.cursor, **query), self.headers)

    async def take_answer(self) -> Answer:
        """Read the answer, and take it in."""
        answer = await self.receiving[-1].read_answer()
        assert answer.status == 200, answer
        batch = json.loads(self.unwrap(answer.body.decode()))
        for event in batch["messages"]:
            self.take(event)
        assert self.cursor in (None, "latest", batch["cursor"])
        self.cursor = batch["cursor"]
        return answer

    def unwrap(self, body: str) -> str:
        """The JSON in an answer."""
        return body


class ShortPoll(Poller):
    """Asks, and is answered at once."""

    mode = "shortpoll"

    async def step(self) -> None:
        """Ask once; after an empty answer wait a little."""
        before = len(self.events)
        await self.poll()
        if len(self.events) == before:
            await asyncio.sleep(INTERVAL_S)


class LongPoll(Poller):
    """Asks, and is answered at the first news."""

    mode = "longpoll"


class Jsonp(Poller):
    """Long polling by scripts; sends in the query of another script."""

    mode = "jsonp"
    query: ClassVar = {"callback": CALLBACK}

    def unwrap(self, body: str) -> str:
        """The argument of the call."""
        return framings.padded_call(body, self.always["callback"])

    async def send_fields(self, fields: dict) -> Receipt:
        """Send a message in a query; its encoded values are what it weighs."""
        values = {name: quote(str(value), safe="") for name, value in fields.items()}
        weight = sum(map(len, values.values()))
        self.sent_payload += weight
        self.misplaced_in_head += weight
        query = "&".join(f"{name}={value}" for name, value in ({"callback": CALLBACK} | values).items())
        answer = await (await self._wire_to(self.sending)).ask("GET", f"/jsonp/send?{query}", self.headers)
        refused = answer.status != 200
        return Receipt(
            answer.status,
            answer.json if refused else json.loads(framings.padded_call(answer.body.decode(), CALLBACK)),
        )


class Streamer(Listener):
    """Asks once, and reads an answer that never ends."""

    async def connect(self, after: str | None = None) -> "Listener":
        """Send the request and read the head of its answer."""
        self.cursor = None if after == "latest" else after
        wire = await Wire.open(self.port, self.takes)
        self.receiving.append(wire)
        await wire.request("GET", self.target(after), self.headers)
        self.head = await wire.read_head()
        assert self.head.status == 200, (self.head, await wire.take_rest())
        self.body = Body(wire, self.head)
        self.begin()
        return self

    async def step(self) -> None:
        """Take the next piece of the answer."""
        piece = await self.body.piece()
        if not piece:
            raise Closed
        for event in self.parse(piece):
            self.take(event)

    def begin(self) -> None:
        """Make a parser for this answer."""

    def parse(self, piece: bytes) -> list[dict]:
        """The events that are complete now."""
        raise NotImplementedError

    @property
    def heartbeats(self) -> int:
        """How many signs of life came that are no events and do not belong to the beginning of the answer."""
        raise NotImplementedError


class Iframe(Streamer):
    """A page of scripts."""

    mode = "iframe"

    def begin(self) -> None:
        """Each page is parsed from its beginning."""
        self.page = framings.ScriptPage()

    def parse(self, piece: bytes) -> list[dict]:
        """Each script is one event."""
        return [json.loads(argument) for argument in self.page.feed(piece)]

    @property
    def heartbeats(self) -> int:
        """Comments between the scripts; the first one belongs to the beginning of the page."""
        return max(0, self.page.comments - 1)


class ServerSentEvents(Streamer):
    """An event stream."""

    mode = "sse"

    def begin(self) -> None:
        """Each answer is parsed from its beginning."""
        self.stream = framings.ServerSentEvents()

    def parse(self, piece: bytes) -> list[dict]:
        """Each block is one event; its name and its id must agree with its data."""
        return [self._event(*block) for block in self.stream.feed(piece)]

    def _event(self, kind: str, data: str, last_id: str) -> dict:
        event = json.loads(data)
        assert event["type"] == kind
        assert event.get("id", last_id) == last_id
        return event

    @property
    def heartbeats(self) -> int:
        """Lines that begin with a colon."""
        return self.stream.comments


class Fetch(Streamer):
    """Lines of JSON."""

    mode = "fetch"

    def begin(self) -> None:
        """Each answer is parsed from its beginning."""
        self.lines = framings.JsonLines()

    def parse(self, piece: bytes) -> list[dict]:
        """Each line is one event."""
        return [json.loads(line) for line in self.lines.feed(piece)]

    @property
    def heartbeats(self) -> int:
        """Empty lines; the first one is the beginning of the answer."""
        return max(0, self.lines.empty - 1)


class WebSocket(Listener):
    """Frames, in both directions on one connection."""

    mode = "websocket"

    async def connect(self, after: str | None = None) -> "Listener":
        """Shake hands."""
        self.cursor = None if after == "latest" else after
        self.wire = await Wire.open(self.port, self.takes)
        self.receiving.append(self.wire)
        self.answers: list[dict] = []
        self.frames: list[framings.Frame] = []
        self.sends: list[bytes] = []
        self.answer_bytes = self.message_bytes = 0
        self.close_code: int | None = None
        self.inflater = framings.Inflater()
        self.head = await self._shake_hands(after)
        return self

    async def _shake_hands(self, after: str | None):
        key = base64.b64encode(os.urandom(16)).decode()
        await self.wire.request("GET", self.target(after), self.headers | handshake(key))
        head = await self.wire.read_head()
        assert head.status == 101, (head, await self.wire.take_rest())
        digest = hashlib.sha1(key.encode() + WEBSOCKET_GUID).digest()
        assert head.headers["sec-websocket-accept"] == base64.b64encode(digest).decode()
        return head

    async def step(self) -> None:
        """Take the next frame."""
        if self.close_code is not None:
            raise Closed
        frame = await framings.read_frame(self.wire)
        self.frames.append(frame)
        if frame.opcode in (TEXT, BINARY):
            assert (frame.opcode == BINARY) == self.binary, "the framing that was agreed"
            data = self.inflater.read(frame)
            self._take_event(frame, data, binary_events.event(data) if self.binary else json.loads(data))
        elif frame.opcode == PING:
            await self.wire.send(framings.client_frame(PONG, frame.payload))
        elif frame.opcode == CLOSE:
            self.close_code = frame.close_code

    @property
    def heartbeats(self) -> int:
        """Pings."""
        return sum(frame.opcode == PING for frame in self.frames)

    @property
    def binary(self) -> bool:
        """Whether the lab has agreed to `pushlab.binary`."""
        return self.head.headers.get("sec-websocket-protocol") == "pushlab.binary"

    def _take_event(self, frame: framings.Frame, data: bytes, value: dict) -> None:
        if value["type"] in ("ack", "error"):
            self.answers.append(value)
            self.answer_bytes += frame.size
        else:
            self.take(value)
            self.message_bytes += len(data) * (value["type"] == "message")

    @property
    def received_payload(self) -> int:
        """The bytes of all message objects received, as they stood in their frames before compression."""
        return self.message_bytes

    async def send_fields(self, fields: dict) -> Receipt:
        """Send a frame as it was agreed, and read until it is answered."""
        if not self.receiving:
            await self.connect("latest")
        if self.binary:
            return await self.send_frame(BINARY, binary_events.send(fields))
        return await self.send_frame(TEXT, json.dumps(fields).encode())

    async def send_frame(self, opcode: int, payload: bytes) -> Receipt:
        """Send a frame, and read until the next answer."""
        if not self.receiving:
            await self.connect("latest")
        self.sent_payload += len(payload)
        self.sends.append(framings.client_frame(opcode, payload))
        awaited = len(self.answers) + 1
        await self.wire.send(self.sends[-1])
        await self.listen_until(lambda: len(self.answers) >= awaited)
        return Receipt(None, self.answers[-1])

    async def leave(self) -> None:
        """Close as RFC 6455 has it: send a close frame, receive one, and disconnect."""
        for wire in self.receiving:
            await wire.send(framings.client_frame(CLOSE, b"\x03\xe8"))
            await wire.take_rest()
            await wire.close()

    def tally(self, direction: str) -> Tally:
        """What passed, separated by what each frame was for."""
        sends = Tally(sum(map(len, self.sends)), self.answer_bytes, payload_bytes=self.sent_payload)
        if direction == "send":
            return sends
        tally = super().tally("receive")
        tally.bytes_in -= sends.bytes_in
        tally.bytes_out -= sends.bytes_out
        return tally


def handshake(key: str = "dGhlIHNhbXBsZSBub25jZQ==") -> dict[str, str]:
    """The headers that ask for a WebSocket."""
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }


CLIENTS = {
    client.mode: client for client in (ShortPoll, LongPoll, Jsonp, Iframe, ServerSentEvents, Fetch, WebSocket)
}


def client(mode: str, port: int, **options) -> Listener:
    """A client of this technique."""
    return CLIENTS[mode](port, **options)
