"""Keep the beginning and the newest units of a long conversation, in a bounded number of bytes.

Bytes are left out in whole units only, because from inside a unit nothing could be dissected. In a body in
chunks that means whole chunks: their sizes must stay true.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lab.anatomy import CUT, LeftOut, Unit, coarse

BEGINNING = 4
"""One part in so many of the bytes is for the beginning, the others are for the newest units."""

HEADS = ("request", "response")
"""The kinds of units that are always kept."""


class Part(NamedTuple):
    """One read or write: its time in seconds, whether the bytes came from the client, and the bytes."""

    at: float
    came: bool
    data: bytes


Parts = Sequence[Part | LeftOut]


def size_of(parts: Parts) -> int:
    """How many bytes are in these parts."""
    return sum(len(part.data) for part in parts)


def bounded(parts: Parts, mode: str, most: int) -> list[Part | LeftOut] | None:
    """At most so many of these bytes: the beginning, and the newest units; what is between is left out.

    None when there is a unit that is too long and not whole yet: then only the beginning can be kept.
    """
    units = coarse(parts, mode)
    begins = beginnings(parts) or _beginnings(units, most // BEGINNING)
    later = [unit for unit in units if start_of(unit) >= begins[unit.came]]
    last = {unit.came: unit for unit in later}
    unfinished = {came: unit for came, unit in last.items() if unit.kind == CUT}
    left = most - sum(begins.values()) - sum(length(unit) for unit in unfinished.values())
    if left < 0:
        return None
    resumes = {came: start_of(unit) for came, unit in unfinished.items()}
    for unit in reversed([unit for unit in later if unit not in unfinished.values()]):
        if (left := left - length(unit)) < 0:
            break
        resumes[unit.came] = start_of(unit)
    return list(_without(parts, begins, resumes))


def start_of(unit: Unit) -> int:
    """The offset of its first byte."""
    return unit.fields[0].start


def length(unit: Unit) -> int:
    """How many bytes it has."""
    return unit.fields[-1].end - start_of(unit)


def beginnings(parts: Parts) -> dict[bool, int]:
    """Where the first bytes were left out in each direction; nothing as long as all are kept."""
    found: dict[bool, int] = {}
    place = {True: 0, False: 0}
    for part in parts:
        if isinstance(part, LeftOut):
            found.setdefault(part.came, place[part.came])
        place[part.came] += len(part.data)
    return found


def _beginnings(units: Sequence[Unit], most: int) -> dict[bool, int]:
    """Where the first units end that are always kept, in each direction."""
    begins = {True: 0, False: 0}
    for unit in units:
        most -= length(unit)
        if unit.kind == CUT or (most < 0 and unit.kind not in HEADS):
            break
        begins[unit.came] = unit.fields[-1].end
    return begins


def _without(parts: Parts, begins: dict[bool, int], resumes: dict[bool, int]) -> Iterator[Part | LeftOut]:
    """The parts without what is between these places; each direction has a mark where that was."""
    place, marked = {True: 0, False: 0}, set[bool]()
    for part in parts:
        came, start = part.came, place[part.came]
        place[came] += part.size if isinstance(part, LeftOut) else len(part.data)
        if start < begins[came]:
            yield Part(part.at, came, part.data[: begins[came] - start])
        resume = resumes.get(came)
        if resume is not None and place[came] > resume:
            if came not in marked:
                yield LeftOut(part.at, came, resume - begins[came])
                marked.add(came)
            yield Part(part.at, came, part.data[max(0, resume - start) :])
    for came in {True, False} - marked:
        at = parts[-1].at if parts else 0.0
        yield LeftOut(at, came, place[came] - begins[came])
