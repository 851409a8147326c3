"""Units as plain text of 80 columns, for a terminal or a notebook: the bytes of each field, and its value."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from lab.anatomy.dissection import dissect
from lab.anatomy.heads import REQUEST
from lab.anatomy.units import FRAMING, HEAD, PAYLOAD, Field, LeftOut, Part, Parts, Unit

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = 80
ROW_BYTES = 16
COLOUR = "cyan"
"""The colour of framing and payload where no technique has its own."""
Line = tuple[str, str]
"""A line of text, and the part of the bytes in it: `head`, `framing`, `payload`, or empty."""


def show(data: Parts | bytes | str, mode: str = "") -> None:
    """Print the units of some bytes, one after the other: `lab.anatomy.show("818537fa213d7f9f4d5158")`.

    `data` are parts, as for `dissect`, or bytes of one direction, perhaps in hexadecimal.
    Raises `ValueError` for text that is not hexadecimal.
    """
    from rich.console import Console  # late, because only printing needs it

    print_to(Console(highlight=False, force_jupyter=False), parts_of(data), mode)


def print_to(
    console: "Console", parts: Parts, mode: str = "", colour: str = COLOUR, time_unit: str = ""
) -> None:
    """Print the units of these parts to a terminal or a notebook, in colours where it has them."""
    from rich.text import Text

    looks = styles(colour)
    for text, part in styled_lines(parts, mode, time_unit):
        console.print(Text(text, style=looks[part]), highlight=False, soft_wrap=True)


def styles(colour: str) -> Mapping[str, str]:
    """How each part looks, as in the figures: a head is pale, framing has the colour, payload is strong."""
    return {"": "bold", HEAD: "dim", FRAMING: colour, PAYLOAD: f"bold {colour}"}


def parts_of(data: Parts | bytes | str) -> Parts:
    """These parts, or bytes alone, perhaps in hexadecimal, as one part."""
    if isinstance(data, str):
        data = bytes.fromhex(data)
    return [one_part(data)] if isinstance(data, bytes) else data


def one_part(data: bytes) -> Part:
    """Bytes of one direction as a part; a request or a masked frame is from a client."""
    frame = len(data) > 1 and not chr(data[0]).isascii()
    return Part(0.0, bool(REQUEST.match(data) or (frame and data[1] & 0x80)), data)


def lines(parts: Parts, mode: str = "") -> Iterator[str]:
    """The lines of text that show these parts."""
    return (text for text, _ in styled_lines(parts, mode))


def styled_lines(parts: Parts, mode: str = "", time_unit: str = "") -> Iterator[Line]:
    """The lines that show these parts, each with the part of its bytes."""
    streams = {came: b"".join(part.data for part in parts if part.came is came) for came in (True, False)}
    place = {True: 0, False: 0}
    for unit in dissect(parts, mode):
        yield heading(unit, time_unit), ""
        for field in unit.fields:
            start, place[unit.came] = place[unit.came], place[unit.came] + field.end - field.start
            for row in rows(field, streams[unit.came][start : place[unit.came]]):
                yield row, field.part
    if any(isinstance(part, LeftOut) for part in parts):
        yield "(Some bytes were not kept; the offsets are those of the whole stream.)", ""


def heading(unit: Unit, time_unit: str = "") -> str:
    """The direction of a unit, its kind, its length and its time."""
    size = unit.fields[-1].end - unit.fields[0].start
    way = "client → server" if unit.came else "server → client"
    return clipped(f"{way}: {unit.kind}, {size} bytes, at {unit.at:g}{time_unit}")


def rows(field: Field, data: bytes) -> Iterator[str]:
    """Offset, sixteen bytes and the name of a field; a last line has its value."""
    for place in range(0, len(data), ROW_BYTES):
        name = f"{field.part:7} {field.name}" if place == 0 else ""
        row = data[place : place + ROW_BYTES].hex(" ")
        yield clipped(f"{field.start + place:06x} {row:47} {name}".rstrip())
    if field.value:
        yield clipped(f"       = {field.value}")


def clipped(text: str) -> str:
    """One line, at most so wide, without control characters; a Chinese character is two columns wide."""
    clean = "".join(character if character.isprintable() else "·" for character in text)
    size = 0
    for place, character in enumerate(clean):
        size += 2 if east_asian_width(character) in "WF" else 1
        if size > COLUMNS:
            return f"{clean[: place - 1]}…"
    return clean
