"""What is said in the room: cursors, events, batches, and the check of what a sender hands in.

Knows nothing of Redis, HTTP or who is listening.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

from lab.errors import BadCursor, BadMessage, TooLong
from lab.json_types import JsonObject

PLACE = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
PIECE_BYTES = 32 * 1024
"""Of JSON, handed to a stream at once: what the kernel takes whole, so that nothing of it is kept here."""


def compact(value: object) -> bytes:
    """JSON as it goes on the wire: UTF-8, without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Cursor(NamedTuple):
    """A place in the history, just behind message `n` of the history that began at `epoch` (ms)."""

    epoch: int
    n: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.n}"

    @staticmethod
    @lru_cache(256)  # most readers stand at the same few places
    def parse(text: str) -> "Cursor":
        """Read `<epoch>-<n>`. Raises `BadCursor` for anything else."""
        if not PLACE.fullmatch(text):
            raise BadCursor(text)
        epoch, n = text.split("-")
        return Cursor(int(epoch), int(n))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a reader is told: its JSON, built once, and the cursor that it leads to, if any."""

    json: bytes
    cursor: Cursor | None = None
    kind: str = "message"
    mid: str = ""
    accepted_at: float = 0.0
    """When the room took the message in, in seconds on the event loop's clock."""


def gap(missed: int) -> Event:
    """So many messages existed after your cursor and are no longer kept."""
    return Event(compact({"type": "gap", "missed": missed}), None, "gap")


def reset(cursor: Cursor) -> Event:
    """Your cursor belongs to a history that is gone; everything kept follows."""
    return Event(compact({"type": "reset", "id": str(cursor)}), cursor, "reset")


def bye(retry_ms: int) -> Event:
    """The server is leaving; come back after so many milliseconds."""
    return Event(compact({"type": "bye", "retry_ms": retry_ms}), None, "bye")


@dataclass(frozen=True)
class Batch:
    """Events in order, and the cursor of a reader who has seen them all."""

    events: tuple[Event, ...]
    cursor: Cursor
    _bytes: dict[Callable[["Batch"], bytes], bytes] = field(default_factory=dict, compare=False, repr=False)

    def framed(self, frame: Callable[["Batch"], bytes]) -> bytes:
        """These events in one technique's framing: built once, shared by all of its listeners."""
        if frame not in self._bytes:
            self._bytes[frame] = frame(self)
        return self._bytes[frame]

    @cached_property
    def pieces(self) -> "tuple[Batch, ...]":
        """The same events in batches of bounded size, each with the place that it leads to."""
        pieces, events, size = list[Batch](), list[Event](), 0
        for event in self.events:
            size += len(event.json)
            if size > PIECE_BYTES and events and (cursor := events[-1].cursor):
                pieces.append(Batch(tuple(events), cursor))
                events, size = [], len(event.json)
            events.append(event)
        last = (Batch(tuple(events), self.cursor) if pieces else self,)
        return (*pieces, *last) if self.events else ()

    @cached_property
    def messages(self) -> tuple[Event, ...]:
        """The events that are messages."""
        return tuple(event for event in self.events if event.kind == "message")

    @cached_property
    def payload_bytes(self) -> int:
        """The bytes of the message objects themselves, before any framing."""
        return sum(len(event.json) for event in self.messages)


@dataclass(frozen=True)
class Draft:
    """A message as its sender hands it in, checked."""

    mid: str
    """In lower case, as UUIDs are compared without regard to it (RFC 9562 section 4)."""
    username: str
    body: str

    @classmethod
    def check(cls, fields: JsonObject, message_chars: float, username_chars: float) -> "Draft":
        """Take decoded JSON for a message.

        Raises `BadMessage` when a field is missing, empty or no text, and `TooLong` when it is
        longer than its limit (in characters).
        """
        mid = _text(fields, "mid", 36)
        if not UUID.fullmatch(mid):
            raise BadMessage("mid", "The field mid is a UUID that the sender makes for each message.")
        return cls(
            mid.lower(), _text(fields, "username", username_chars), _text(fields, "body", message_chars)
        )


def mid_of(fields: object) -> str | None:
    """The mid of something that may be a message."""
    mid = fields.get("mid") if isinstance(fields, dict) else None
    return mid if isinstance(mid, str) and UUID.fullmatch(mid) else None


def _text(fields: JsonObject, name: str, most: float) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise BadMessage(name, f"A message needs the field {name} with some text in it.")
    if len(value) > most:
        raise TooLong(name, f"The field {name} has {len(value)} characters, the limit is {most:.0f}.")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise BadMessage(name, f"The field {name} holds half of a surrogate pair, which is no character.")
    return value
