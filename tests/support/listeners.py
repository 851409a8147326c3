"""A raw client for each technique, with one interface: connect, receive events in order, send, leave."""

import asyncio
import base64
import hashlib
import json
import os
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest

from lab.catalogue import MODES, TECHNIQUES
from tests.support import framings
from tests.support.framings import CLOSE, PING, PONG, TEXT, canonical
from tests.support.wire import DEADLINE_S, Answer, Body, Closed, Wire, eventually, fetch

each_technique = pytest.mark.parametrize("mode", MODES)
STREAMING = [mode for mode in MODES if TECHNIQUES[mode].verb == "stream"]
POLLING = [mode for mode in MODES if mode not in STREAMING]
WAITING = [mode for mode in MODES if TECHNIQUES[mode].verb == "wait"]
INTERVAL_S = 0.01
"""How long a short poller waits after an empty answer."""
CALLBACK = "lab.hear"
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True)
class Receipt:
    """What a sender received: the HTTP status, if there was one, and the answer itself."""

    status: int | None
    answer: dict

    @property
    def id(self) -> str:
        """The cursor of the message."""
        return self.answer["id"]

    @property
    def n(self) -> int:
        """Its number in the history."""
        return number(self.id)


@dataclass
class Tally:
    """What a client saw pass in one direction of use, in the words of the meters."""

    bytes_in: int = 0
    bytes_out: int = 0
    head_bytes: int = 0
    payload_bytes: int = 0

    def add(self, wire: Wire) -> "Tally":
        """Count a whole connection."""
        self.bytes_in += len(wire.sent)
        self.bytes_out += len(wire.received)
        self.head_bytes += wire.heads_sent + wire.heads_received
        return self


def number(cursor: str) -> int:
    """The `n` of `<epoch>-<n>`."""
    return int(cursor.split("-")[1])


def epoch(cursor: str) -> int:
    """The epoch of `<epoch>-<n>`."""
    return int(cursor.split("-")[0])


def draft(body: str = "hello", username: str = "ann", mid: str | None = None) -> dict:
    """A message as a client hands it in."""
    return {"mid": mid or str(uuid4()), "username": username, "body": body}


class Listener:
    """One client of one technique, and everything that it received, in order."""

    mode: ClassVar[str] = ""
    query: ClassVar[dict[str, str]] = {}
    """What this technique's receive request always says."""

    def __init__(
        self, port: int, keep_alive: bool = True, headers: dict | None = None, takes: int = 0, **query: str
    ) -> None:
        self.port = port
        self.takes = takes
        self.keep_alive = keep_alive
        self.headers = (headers or {}) | ({} if keep_alive else {"Connection": "close"})
        self.always = self.query | query
        self.events: list[dict] = []
        self.cursor: str | None = None
        self.receiving: list[Wire] = []
        self.sending: list[Wire] = []
        self.sent_payload = 0
        self.misplaced_in_head = 0

    # Listening --------------------------------------------------------------------------------

    async def connect(self, after: str | None = None) -> "Listener":
        """Connect. After this returns no later message can be missed."""
        raise NotImplementedError

    async def step(self) -> None:
        """Receive the next thing that the server sends. Raises `Closed` when there will be nothing more."""
        raise NotImplementedError

    async def receive(self, count: int = 1, kind: str = "message") -> list[dict]:
        """Listen until this listener has received so many events of this kind in all; returns all events."""
        return await self.listen_until(lambda: sum(e["type"] == kind for e in self.events) >= count)

    async def receive_until(self, id_: str) -> list[dict]:
        """Listen until this message has come; returns all events."""
        return await self.listen_until(lambda: self.cursor == id_)

    async def receive_up_to(self, n: int) -> "Listener":
        """Listen until the message of this number has come."""
        await self.listen_until(lambda: self.cursor and number(self.cursor) >= n)
        return self

    async def listen_until(self, done) -> list[dict]:
        """Listen until something is true; returns all events."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not done():
                    await self.step()
        except TimeoutError:
            raise AssertionError(f"{self.mode} received no more after {self.events[-3:]}") from None
        return self.events

    def take(self, event: dict) -> None:
        """Write an event down, and where it leads."""
        self.events.append(event)
        self.cursor = event.get("id", self.cursor)

    @property
    def ids(self) -> list[str]:
        """The cursors of the messages received, in the order in which they came."""
        return [event["id"] for event in self.events if event["type"] == "message"]

    @property
    def kinds(self) -> list[str]:
        """What kinds of events came, in order."""
        return [event["type"] for event in self.events]

    def target(self, after: str | None, **more: str) -> str:
        """The path and query of a receive request."""
        query = self.always | ({} if after is None else {"after": after}) | more
        return f"/{self.mode}" + (f"?{urlencode(query)}" if query else "")

    # Sending ----------------------------------------------------------------------------------

    async def send(self, *words: str, **fields: str) -> Receipt:
        """Send a message made by `draft`."""
        return await self.send_fields(draft(*words, **fields))

    async def send_fields(self, fields: dict) -> Receipt:
        """Send a message as it is, by POST of JSON; techniques with a way of their own replace this."""
        body = json.dumps(fields).encode()
        self.sent_payload += len(body)
        headers = self.headers | {"Content-Type": "application/json"}
        wire = await self._wire_to(self.sending)
        answer = await wire.ask("POST", f"/{self.mode}", headers, body)
        return Receipt(answer.status, answer.json)

    async def _wire_to(self, wires: list[Wire]) -> Wire:
        if not self.keep_alive and wires:
            await wires[-1].close()
        if not self.keep_alive or not wires:
            wires.append(await Wire.open(self.port, self.takes))
        return wires[-1]

    # Leaving, counting ------------------------------------------------------------------------

    async def leave(self) -> None:
        """Close politely, and read what still comes."""
        for wire in self.receiving + self.sending:
            await wire.close()

    def abort(self) -> None:
        """Vanish."""
        for wire in self.receiving + self.sending:
            wire.abort()

    def tally(self, direction: str) -> Tally:
        """What passed over this client's connections, for receiving or for sending."""
        tally = Tally()
        for wire in {"receive": self.receiving, "send": self.sending}[direction]:
            tally.add(wire)
        if direction == "send":
            tally.head_bytes -= self.misplaced_in_head
        tally.payload_bytes = self.sent_payload if direction == "send" else self.received_payload
        return tally

    @property
    def received_payload(self) -> int:
        """The bytes of all message objects received."""
        return sum(len(canonical(event)) for event in self.events if event["type"] == "message")


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
        self.answer_bytes = 0
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
        if frame.opcode == TEXT:
            self._take_text(frame, json.loads(self.inflater.read(frame).decode()))
        elif frame.opcode == PING:
            await self.wire.send(framings.client_frame(PONG, frame.payload))
        elif frame.opcode == CLOSE:
            self.close_code = frame.close_code

    @property
    def heartbeats(self) -> int:
        """Pings."""
        return sum(frame.opcode == PING for frame in self.frames)

    def _take_text(self, frame: framings.Frame, value: dict) -> None:
        if value["type"] in ("ack", "error"):
            self.answers.append(value)
            self.answer_bytes += frame.size
        else:
            self.take(value)

    async def send_fields(self, fields: dict) -> Receipt:
        """Send a text frame, and read until it is answered."""
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


async def history(port: int) -> dict:
    """The kept messages and the cursor behind them."""
    return (await fetch(port, "GET", "/history")).json


async def top(port: int) -> str:
    """The cursor behind the newest message that the room has."""
    return (await history(port))["cursor"]


async def meters(port: int) -> dict:
    """What the lab has counted."""
    return (await fetch(port, "GET", "/meters")).json


async def held(port: int, mode: str) -> int:
    """How many receive requests of this technique are open."""
    return (await meters(port))["techniques"][mode]["open"]


async def publish(port: int, count: int, text: str = "message") -> list[str]:
    """Send so many messages one after the other; returns their cursors when the room has them."""
    sender = ShortPoll(port)
    ids = [(await sender.send(f"{text} {place}")).id for place in range(count)]
    await sender.leave()
    if ids:
        await eventually(lambda: is_in_room(port, ids[-1]), f"the room has {ids[-1]}")
    return ids


async def here(port: int) -> str:
    """A cursor behind everything that was sent so far: that of a message which the room has just read."""
    return (await publish(port, 1, "here"))[0]


async def is_in_room(port: int, id_: str) -> bool:
    """Whether the room knows of this message."""
    place = await top(port)
    return (epoch(place), number(place)) >= (epoch(id_), number(id_))


async def is_conserved(port: int) -> None:
    """Wait until every byte of the total belongs to a technique or to the rest."""

    async def probe() -> bool:
        counted = await meters(port)
        uses = [both[use] for both in counted["techniques"].values() for use in ("receive", "send")]
        return all(
            sum(use[way] for use in [*uses, counted["other"]]) == counted["total"][way]
            for way in ("bytes_in", "bytes_out")
        )

    await eventually(probe, "every byte is credited")
