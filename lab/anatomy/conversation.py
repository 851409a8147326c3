"""The frames of both directions of a WebSocket, grouped into messages.

What the meters count as payload depends on the answer: a client's message is payload unless the lab refused
it (an `error`, or a close frame without an `ack` before it), and a server's is payload when it is a message.
"""

import re
from collections import defaultdict, deque
from collections.abc import Collection
from typing import Any, NamedTuple

from lab.anatomy import events, frames
from lab.anatomy.deflate import NAME, Inflater
from lab.anatomy.frames import BINARY, CLOSE, TEXT, Frame
from lab.anatomy.units import FRAMING, PAYLOAD, Piece, one_field

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Message(NamedTuple):
    """The frames of one message, and its data without compression; None when it is not known."""

    frames: list[Frame]
    data: bytes | None

    @property
    def event(self) -> Any:
        """The JSON value in a text message; None when there is none."""
        return events.parsed(self.data or b"") if self.frames[0].opcode == TEXT else None

    @property
    def mid(self) -> str | None:
        """The mid that a sender gave it; None when there is none that the lab could read."""
        mid = self.event.get("mid") if isinstance(self.event, dict) else None
        return mid if isinstance(mid, str) and UUID.fullmatch(mid) else None


class Direction:
    """All frames of one direction."""

    def __init__(
        self, data: bytes, place: int, came: bool, agreed: str | None, holes: Collection[int]
    ) -> None:
        self.data, self.came, self.holes = data, came, holes
        self.compression = agreed is None or NAME in agreed
        side = "client" if came else "server"
        self.inflater = Inflater(f"{side}_no_context_takeover" not in (agreed or ""))
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

    def _piece(self, frame: Frame, part: str, name: str, saved: int = 0, text: bytes | None = None) -> Piece:
        shown = frame.payload if text is None else text
        value = shown.hex(" ") if frame.opcode == BINARY else shown.decode("utf-8", "replace")
        return frames.piece(self.data, frame, part, name, value, saved)

    def _add(self, frame: Frame) -> None:
        """Add a frame to its message; until that is whole, it is neither payload nor readable."""
        self._open = self._open or []
        self._open.append(frame)
        self._keep([self._piece(frame, FRAMING, "fragment", text=b"" if self._open[0].compressed else None)])
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
        full = [frame for frame in message.frames if frame.payload][-1:]
        size = sum(len(frame.payload) for frame in message.frames)
        for frame in message.frames:
            text, saved = b"" if compressed else None, 0
            if compressed and frame in full and message.data is not None:
                text, saved = message.data, (len(message.data) - size) * (part == PAYLOAD)
            self._keep([self._piece(frame, part, name, saved, text)])


def dissect(client: Direction, server: Direction) -> list[list[Piece]]:
    """The units of client and server, in the order of their bytes."""
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
