"""The frames of both directions of a WebSocket, grouped into messages.

What the meters count as payload depends on the answer: a client's message is payload unless the lab refused
it (an `error`, or a close frame without an `ack` before it), and a server's is payload when it is a message.
"""

import json
import re
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from lab.anatomy import binary, events, frames
from lab.anatomy.binary import Inner
from lab.anatomy.deflate import NAME, Inflater
from lab.anatomy.frames import BINARY, CLOSE, TEXT, Frame
from lab.anatomy.units import FRAMING, PAYLOAD, Piece, one_field

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Agreed(NamedTuple):
    """What the response to the handshake states."""

    extensions: str
    subprotocol: str


class Message(NamedTuple):
    """The frames of one message, and its data without compression; None when it is not known."""

    frames: list[Frame]
    data: bytes | None

    speaks_binary: bool = False
    """Whether this connection speaks `pushlab.binary`."""

    @property
    def packed(self) -> binary.Event | None:
        """The event in a binary message of `pushlab.binary`; None when there is none."""
        return (
            binary.read(self.data or b"") if self.speaks_binary and self.frames[0].opcode == BINARY else None
        )

    @property
    def event(self) -> Any:
        """The event as it is in JSON; None when there is none, or when the lab does not read it."""
        if self.speaks_binary:
            return self.packed.value if self.packed else None
        return events.parsed(self.data or b"") if self.frames[0].opcode == TEXT else None

    @property
    def text(self) -> str:
        """What it says, to be read: text, the JSON of a binary event, or bytes in hexadecimal."""
        if self.packed and self.packed.fields[-1].name != "json":
            return json.dumps(self.packed.value, ensure_ascii=False, separators=(",", ":"))
        return text_of(self.data or b"", self.frames[0].opcode)

    @property
    def mid(self) -> str | None:
        """The mid that a sender gave it; None when there is none that the lab could read."""
        mid = self.event.get("mid") if isinstance(self.event, dict) else None
        return mid if isinstance(mid, str) and UUID.fullmatch(mid) else None


class Direction:
    """All frames of one direction."""

    def __init__(
        self, data: bytes, place: int, came: bool, agreed: Agreed | None, holes: Collection[int]
    ) -> None:
        self.data, self.came, self.holes = data, came, holes
        self.compression = agreed is None or NAME in agreed.extensions
        side = "client" if came else "server"
        self.inflater = Inflater(agreed is None or f"{side}_no_context_takeover" not in agreed.extensions)
        self.speaks_binary = agreed and agreed.subprotocol == binary.NAME
        """None: it is not known."""
        self.pieces: dict[int, Piece] = {}
        """Each unit by its first byte."""
        self.messages: list[Message] = []
        self.closes = False
        self._open: list[Frame] | None = [] if agreed is not None else None
        """The frames of a message that has begun; None when it is not known whether one has."""
        self._read(place)

    def _read(self, place: int) -> None:
        found = frames.whole(self.data, place)
        for frame in found:
            if frame.start in self.holes:
                self._forget()
            self._sort(frame)
        self._keep(one_field(self.data, found[-1].end if found else place, len(self.data)))

    def _forget(self) -> None:
        """Bytes are missing or wrong here: what comes next may refer to what is not known."""
        self._open = None
        self.inflater.forget()

    def _sort(self, frame: Frame) -> None:
        in_message = None if self._open is None else bool(self._open)
        if reason := frames.fault(frame, self.came, self.compression, in_message):
            self._forget()
            self._keep(frames.not_a_frame(self.data, frame, reason))
        elif frame.control:
            self.closes = self.closes or frame.opcode == CLOSE
            self._keep([self._piece(frame, FRAMING, "application-data")])
        else:
            self._add(frame)

    def _keep(self, pieces: list[Piece]) -> None:
        self.pieces |= {piece.fields[0].start: piece for piece in pieces}

    def _piece(self, frame: Frame, part: str, name: str, saved: int = 0, value: str | None = None) -> Piece:
        shown = text_of(frame.payload, frame.opcode) if value is None else value
        return frames.piece(self.data, frame, part, [Inner(len(frame.payload), name, shown)], saved)

    def _add(self, frame: Frame) -> None:
        """Add a frame to its message; until that is whole, it is neither payload nor readable."""
        self._open = self._open or []
        self._open.append(frame)
        self._keep([self._piece(frame, FRAMING, "fragment", value="" if self._open[0].compressed else None)])
        if frame.final:
            packed = b"".join(one.payload for one in self._open)
            self.messages.append(Message(self._open, self._inflated(packed)))
            self._open = []

    def _inflated(self, packed: bytes) -> bytes | None:
        assert self._open
        return self.inflater.read(packed) if self._open[0].compressed else packed

    def show(self, message: Message, part: str) -> None:
        """Make the units of a message, now that it is known what it is."""
        name, compressed = "message" if part == PAYLOAD else "event", message.frames[0].compressed
        packed = message.packed
        if packed and not compressed and len(message.frames) == 1:
            return self._keep([frames.piece(self.data, message.frames[0], part, packed.fields)])
        full = [frame for frame in message.frames if frame.payload][-1:]
        size = sum(len(frame.payload) for frame in message.frames)
        for frame in message.frames:
            value, saved = "" if compressed else None, 0
            if compressed and frame in full and message.data is not None:
                value, saved = message.text, (len(message.data) - size) * (part == PAYLOAD)
            self._keep([self._piece(frame, part, name, saved, value)])
        return None


def text_of(data: bytes, opcode: int) -> str:
    """Text, or bytes in hexadecimal for a binary message."""
    return data.hex(" ") if opcode == BINARY else data.decode("utf-8", "replace")


def speaks_binary(messages: Sequence[Message]) -> bool:
    """Whether binary messages are those of `pushlab.binary`, where no handshake states it."""
    return any(one._replace(speaks_binary=True).packed for one in messages)


def dissect(client: Direction, server: Direction) -> list[list[Piece]]:
    """The units of client and server, in the order of their bytes."""
    known = server.speaks_binary
    if known is None:
        known = speaks_binary(server.messages or client.messages)
    for side in (client, server):
        side.messages = [message._replace(speaks_binary=known) for message in side.messages]
    answers: dict[str | None, deque[str]] = defaultdict(deque)
    for message in server.messages:
        type_ = events.kind(message.event)
        server.show(message, PAYLOAD if type_ == "message" else FRAMING)
        if type_ in ("ack", "error"):
            answers[message.mid].append(type_)
    for message in client.messages:
        queue = answers[message.mid]
        stored = queue.popleft() == "ack" if queue else not server.closes
        client.show(message, PAYLOAD if stored else FRAMING)
    return [[side.pieces[start] for start in sorted(side.pieces)] for side in (client, server)]
