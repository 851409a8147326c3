"""What a page receives of captured bytes: the whole units among them, and how many bytes are left out.

Between the first bytes of a request and the newest some were not kept, perhaps from the middle of a unit on.
So the rest of that unit is left out too, on both sides of the gap, and dissecting goes on at the beginning of
a unit. This takes milliseconds; `as_json` may run in a thread, because nothing here changes.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from lab.anatomy import CUT, LeftOut, Part, Unit, dissect
from lab.json_types import JsonObject

SECRET = re.compile(r"(?aim)^((?:set-)?cookie|authorization)(: *)([^\r\n]+)|([?&]token=)([^&\s]+)")

Kept = tuple[float, bool, bytes, bool]
"""A read or write: its time, whether the client sent it, its bytes, and whether they begin a unit."""
WAYS = (False, True)
Pair = tuple[int, int]
"""A number for the bytes that the server sent, and one for those that the client sent."""


class Shown(NamedTuple):
    """What was kept of a request at one moment."""

    mode: str
    began: float
    first: Sequence[Kept]
    newest: Sequence[Kept]
    dropped: Pair
    """Bytes between the first and the newest."""
    before: Pair
    """Bytes before the first, of a request that was already open."""
    starts: Sequence[int]
    """Where frames of the client begin, in its bytes since the first that were kept."""

    def as_json(self) -> JsonObject:
        """The parts in order, bytes as Latin-1, and their units; times are milliseconds since it began."""
        parts = self.parts()
        units = [self._unit(unit) for unit in dissect(parts, self.mode)]
        left_out = sum(part.size for part in parts if isinstance(part, LeftOut))
        shown = [self._part(part) for part in parts if isinstance(part, Part)]
        return {"parts": shown, "left_out": left_out, "units": units}

    def parts(self) -> list[Part | LeftOut]:
        """The bytes of whole units, and the places where bytes are left out."""
        whole = Whole(self)
        whole.trim_starts()
        if any(self.dropped):
            whole.trim_ends()
            whole.trim_request()
        return whole.parts()

    def _part(self, part: Part) -> JsonObject:
        shown = part.as_json()
        return shown | {"at": self._ms(part.at), "text": SECRET.sub(blanked, shown["text"])}

    def _unit(self, unit: Unit) -> JsonObject:
        shown = unit.as_json()
        for field in shown["fields"]:
            field["value"] = SECRET.sub(blanked, field["value"])
        return shown | {"at": self._ms(unit.at)}

    def _ms(self, moment: float) -> float:
        return round(max(0.0, moment - self.began) * 1000, 2)


class Whole:
    """The first and the newest bytes, from which what is not whole is removed."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.first, self.newest = Piece(shown.first), Piece(shown.newest)
        self.before, self.between = Gap(shown.before), Gap(shown.dropped)
        self.sizes = self.first.size(False), self.first.size(True)

    def trim_starts(self) -> None:
        """Remove what follows a gap, up to the beginning of a unit."""
        for came in WAYS:
            if self.shown.before[came]:
                self.before.sizes[came] += self.first.trim_start(came, self.shown.starts, 0)
            if self.shown.dropped[came]:
                self._trim_newest(came)

    def _trim_newest(self, came: bool) -> None:
        place = self.sizes[came] + self.shown.dropped[came]
        self.between.sizes[came] += self.newest.trim_start(came, self.shown.starts, place)

    def trim_ends(self) -> None:
        """Remove the unit that the gap has cut."""
        units = dissect([*self.before.parts(self.first), *self.first.parts()], self.shown.mode)
        for came in WAYS:
            if self.shown.dropped[came]:
                self.between.sizes[came] += self.first.trim_end(came, units, self.before.sizes[came])

    def trim_request(self) -> None:
        """Remove a request whose response has lost its head: the bytes would be taken for its body."""
        has_head = self.first.starts_response or self.newest.starts_response
        if not has_head and not any(self.shown.before):
            self.between.sizes[True] += self.first.trim_end(True, (), 0)
            if not self.shown.dropped[True]:
                self._trim_newest(True)

    def parts(self) -> list[Part | LeftOut]:
        """What remains, in order, with the gaps."""
        parts = list[Part | LeftOut]()
        for gap, piece in ((self.before, self.first), (self.between, self.newest)):
            parts += gap.parts(piece)
            parts += piece.parts()
        return parts


class Piece:
    """Reads and writes without a gap between them."""

    def __init__(self, kept: Sequence[Kept]) -> None:
        self.kept = list(kept)

    def parts(self) -> list[Part]:
        """The bytes."""
        return [Part(at, came, data) for at, came, data, _ in self.kept]

    def size(self, came: bool) -> int:
        """How many bytes of one direction there are."""
        return sum(len(data) for _, way, data, _ in self.kept if way is came)

    @property
    def starts_response(self) -> bool:
        """Whether the server's bytes begin with the head of a response."""
        return next((data for _, way, data, _ in self.kept if not way), b"").startswith(b"HTTP/")

    def trim_start(self, came: bool, starts: Sequence[int], offset: int) -> int:
        """Remove the bytes of one direction before its first unit; returns how many. They begin at
        `offset`."""
        if came:
            size = self.size(True)
            first = next((start - offset for start in starts if start >= offset), size)
            return self._remove(True, 0, min(first, size))
        size = 0
        for _, way, data, whole in self.kept:
            if not way and whole:
                break
            size += 0 if way else len(data)
        return self._remove(False, 0, size)

    def trim_end(self, came: bool, units: Sequence[Unit], offset: int) -> int:
        """Remove the bytes of one direction behind its last whole unit; returns how many. They begin at
        `offset`."""
        whole = [unit.fields[-1].end for unit in units if unit.came is came and unit.kind != CUT]
        return self._remove(came, max(whole, default=offset) - offset, self.size(came))

    def _remove(self, came: bool, start: int, end: int) -> int:
        """Remove the bytes of one direction from `start` to before `end`."""
        kept, place = list[Kept](), 0
        for at, way, data, whole in self.kept:
            rest = data
            if way is came:
                rest = data[: max(0, start - place)] + data[max(0, end - place) :]
                place += len(data)
            if rest:
                kept.append((at, way, rest, whole))
        self.kept = kept
        return end - start


class Gap:
    """A place where bytes of either direction are left out."""

    def __init__(self, sizes: Pair) -> None:
        self.sizes = list(sizes)

    def parts(self, following: Piece) -> list[LeftOut]:
        """The gap of each direction, just before what follows."""
        at = following.kept[0][0] if following.kept else 0.0
        return [LeftOut(at, came, self.sizes[came]) for came in (False, True) if self.sizes[came]]


def blanked(secret: re.Match[str]) -> str:
    """The same line with its secret replaced by as many asterisks."""
    name, colon, value, parameter, token = secret.groups()
    return f"{name}{colon}{'*' * len(value)}" if name else parameter + "*" * len(token)
