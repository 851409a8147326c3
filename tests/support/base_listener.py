"""What the raw clients of all techniques have in common: they listen, send, leave and count."""

import asyncio
import json
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from tests.support.drafts import draft, number
from tests.support.framings import canonical
from tests.support.wire import DEADLINE_S, Wire


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
