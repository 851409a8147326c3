"""Parse the entries of the Redis stream: the room's messages, and entries that are no messages.

Other programs can write to the same Redis. Their entries are recognised and described here; the history
then removes them.
"""

import re
from dataclasses import dataclass, field

from lab.room.messages import PLACE, UUID, Cursor, Event, compact

TIME = re.compile(rb"[0-9]{1,12}(\.[0-9]{1,9})?")
MOST_FIELDS = 64
"""A script cannot copy an entry with more fields in one XADD."""
LAST_EPOCH = 10**14 - 1
"""In ms, in the year 5138: a later epoch is not from a lab, and no later epoch could follow it."""
NOT_OURS = "its id was not given by the lab"

Fields = dict[bytes, bytes] | list[bytes]
"""The fields of one entry; a script returns names and values in one list."""


class Strange(Exception):
    """An entry that is no message of the room; the text is the reason."""


def parse(id_: bytes, fields: Fields) -> Event:
    """The message in an entry. Raises `Strange`; fields that a message does not have are ignored."""
    if isinstance(fields, list):
        fields = dict(zip(fields[::2], fields[1::2], strict=True))
    if len(fields) > MOST_FIELDS:
        raise Strange(f"it has {len(fields)} fields")
    cursor, mid = _place(id_), _text(fields, "mid")
    if not UUID.fullmatch(mid):
        raise Strange("its mid is not a UUID")
    message = {
        "type": "message",
        "id": str(cursor),
        "mid": mid,
        "username": _text(fields, "username"),
        "body": _text(fields, "body"),
        "time": _time(fields),
    }
    return Event(compact(message), cursor, mid=mid)


def _place(id_: bytes) -> Cursor:
    if not PLACE.fullmatch(text := id_.decode()):
        raise Strange("its id has too many digits")
    cursor = Cursor.parse(text)
    if not cursor.n or cursor.epoch > LAST_EPOCH:
        raise Strange(NOT_OURS)
    return cursor


def _text(fields: dict[bytes, bytes], name: str) -> str:
    try:
        text = fields.get(name.encode(), b"").decode()
    except UnicodeDecodeError:
        raise Strange(f"its {name} is not UTF-8") from None
    if not text:
        raise Strange(f"it has no {name}")
    return text


def _time(fields: dict[bytes, bytes]) -> float:
    """Written as JavaScript writes it, a full second without ".0", so that pages count the same bytes."""
    if not TIME.fullmatch(fields.get(b"time", b"")):
        raise Strange("its time is not a number of seconds")
    number = float(fields[b"time"])
    return int(number) if number.is_integer() else number


@dataclass(frozen=True)
class Found:
    """The newest entries of the stream, oldest first, and the last id that the stream generated."""

    last_id: str
    ids: list[str] = field(default_factory=list)
    messages: list[Event] = field(default_factory=list)
    strange: dict[str, str] = field(default_factory=dict)
    """Entries that are no messages: why not, by id."""

    @classmethod
    def read(cls, last_id: bytes, entries: list[tuple[bytes, Fields]], known: Cursor) -> "Found":
        """Parse every entry; `known` is the newest cursor that the caller knows."""
        found = cls(last_id.decode(), [id_.decode() for id_, _ in entries])
        for id_, fields in entries:
            try:
                found.messages.append(parse(id_, fields))
            except Strange as why:
                found.strange[id_.decode()] = str(why)
        found._leave_out_other_epochs(known.epoch)
        return found

    def _leave_out_other_epochs(self, known: int) -> None:
        """All messages of a stream have one epoch: the one known, else that of the oldest."""
        epochs = [int(event.cursor.epoch) for event in self.messages if event.cursor]
        one = known if known in epochs else epochs[0] if epochs else known
        own = [event for event, epoch in zip(self.messages, epochs, strict=True) if epoch == one]
        for event in self.messages if len(own) < len(epochs) else ():
            if event.cursor and event.cursor.epoch != one:
                self.strange[str(event.cursor)] = NOT_OURS
        self.messages[:] = own

    @property
    def epoch(self) -> int:
        """Of the messages; 0 when there are none."""
        cursor = self.messages[0].cursor if self.messages else None
        return cursor.epoch if cursor else 0

    @property
    def latest_epoch(self) -> int:
        """The latest epoch (ms) that a lab can have used."""
        last = int(self.last_id.partition("-")[0])
        return max(self.epoch, last if last <= LAST_EPOCH else 0)

    @property
    def top(self) -> Cursor | None:
        """The cursor at the end of the history; None when the stream holds an entry that is no message."""
        if self.strange or not self._has_no_holes() or not PLACE.fullmatch(self.last_id):
            return None
        top = Cursor.parse(self.last_id)
        ends = self.messages[-1].cursor == top if self.messages else top.epoch <= LAST_EPOCH
        return top if ends else None

    def top_without(self, known: Cursor) -> Cursor | None:
        """The cursor at the end of the history once the strange entries are removed and every other id is
        kept.

        None when that would leave a hole, or when an id might be used twice: the history is known up to
        `known`, and the last id must belong to an entry that was read here.
        """
        if not self.strange or not self._has_no_holes() or self.last_id != self.ids[-1]:
            return None
        top = self.messages[-1].cursor if self.messages else known if known.epoch and not known.n else None
        return top if top is not None and top >= known else None

    def _has_no_holes(self) -> bool:
        cursors = [event.cursor for event in self.messages if event.cursor]
        first = cursors[0] if cursors else Cursor(0, 0)
        return cursors == [Cursor(first.epoch, first.n + more) for more in range(len(cursors))]

    def describe(self) -> str:
        """Describe what is wrong with the stream, with one entry as an example."""
        if not self.strange:
            return "its ids have a hole or run ahead"
        id_, why = next(iter(self.strange.items()))
        more = f", and {len(self.strange) - 1} more" if len(self.strange) > 1 else ""
        return f"entry {id_} is not a message: {why}{more}"
