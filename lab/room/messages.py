"""Messages of the room: cursors, events, batches, and the check of a message that a client sends.

Knows nothing of Redis, HTTP or the listeners.
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
"""Bytes of JSON per write to a stream: the kernel's buffer accepts them whole, so none wait in the server."""


def compact(value: object) -> bytes:
    """JSON as it goes on the wire: UTF-8, without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Cursor(NamedTuple):
    """A place in the history: after message `n` of the history that began at `epoch` (ms)."""

    epoch: int
    n: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.n}"

    @staticmethod
    @lru_cache(256)  # most listeners have one of a few cursors
    def parse(text: str) -> "Cursor":
        """Read `<epoch>-<n>`. Raises `BadCursor` for anything else."""
        if not PLACE.fullmatch(text):
            raise BadCursor(text)
        epoch, n = text.split("-")
        return Cursor(int(epoch), int(n))


@dataclass(frozen=True, slots=True)
class Event:
    """One event that a listener receives: its JSON, built once, and the cursor after it, if any."""

    json: bytes
    cursor: Cursor | None = None
    kind: str = "message"
    mid: str = ""
    accepted_at: float = 0.0
    """When the room accepted the message, in seconds on the event loop's clock."""


def gap(missed: int) -> Event:
    """An event that counts the messages after a cursor which are no longer kept."""
    return Event(compact({"type": "gap", "missed": missed}), None, "gap")


def reset(cursor: Cursor) -> Event:
    """An event for a cursor of a history that is gone; all kept messages follow it."""
    return Event(compact({"type": "reset", "id": str(cursor)}), cursor, "reset")


def bye(retry_ms: int) -> Event:
    """An event that announces that the server closes; reconnect after so many milliseconds."""
    return Event(compact({"type": "bye", "retry_ms": retry_ms}), None, "bye")


@dataclass(frozen=True)
class Batch:
    """Events in order, and the cursor after the last of them."""

    events: tuple[Event, ...]
    cursor: Cursor
    _bytes: dict[Callable[["Batch"], bytes], bytes] = field(default_factory=dict, compare=False, repr=False)

    def framed(self, frame: Callable[["Batch"], bytes]) -> bytes:
        """These events in one technique's framing: built once, shared by all of its listeners."""
        if frame not in self._bytes:
            self._bytes[frame] = frame(self)
        return self._bytes[frame]

    @property
    def pieces(self) -> "tuple[Batch, ...]":
        """The same events in batches of bounded size, each with the cursor after it."""
        return self._cut or ((self,) if self.events else ())

    @cached_property
    def _cut(self) -> "tuple[Batch, ...]":
        """The pieces; none of a batch that is one piece, which would refer to itself and not be freed."""
        pieces, events, size = list[Batch](), list[Event](), 0
        for event in self.events:
            size += len(event.json)
            if size > PIECE_BYTES and events and (cursor := events[-1].cursor):
                pieces.append(Batch(tuple(events), cursor))
                events, size = [], len(event.json)
            events.append(event)
        return (*pieces, Batch(tuple(events), self.cursor)) if pieces else ()

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
    """A message that a client sent, after its fields were checked."""

    mid: str
    """In lower case, as UUIDs are compared without regard to it (RFC 9562 section 4)."""
    username: str
    body: str

    @classmethod
    def check(cls, fields: JsonObject, message_chars: float, username_chars: float) -> "Draft":
        """Make a draft from decoded JSON.

        Raises `BadMessage` when a field is missing, empty or no text, and `TooLong` when it is
        longer than its limit (in characters).
        """
        mid = _text(fields, "mid", 36)
        if not UUID.fullmatch(mid):
            raise BadMessage("mid", "The field mid must be a UUID, a new one for each message.")
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
        raise BadMessage(name, f"The field {name} has half of a surrogate pair, which is not a character.")
    return value
