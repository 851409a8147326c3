"""The result of a check as text of 80 columns: steps passed, the step that failed, its bytes with a caret."""

from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from lab.anatomy import frames
from lab.anatomy.binary import Inner
from lab.anatomy.units import FRAMING
from lab.exercises.mismatch import Mismatch, Said, Shown
from lab.exercises.printed import visible
from lab.exercises.steps import Failure, Result
from lab.exercises.texts import Texts
from lab.languages import catalogue

COLUMNS = 80
INDENT = 6
LABEL = 10
"""Columns of "expected" and the space after it."""
BYTES = 20
"""Bytes in a row."""
LETTERS = 60
BEFORE = 6
"""Bytes or letters that are shown before the first wrong one."""
MOST_ROWS = 8
UNREACHABLE = ("silent_port", "no_connection")
OTHER_BYTES = "other_bytes"
HTTP = (b"GET ", b"POST ", b"HTTP/")
PLAIN = {"✓": "+", "✗": "x", "·": "-", "…": "...", "–": "-"}
"""For a terminal that has ASCII only."""


class Line(NamedTuple):
    """A line, its style, and by how much its further lines are indented."""

    text: str
    style: str = ""
    indent: int = 0


def plain(text: str, encoding: str) -> str:
    """The text with signs that this encoding has."""
    try:
        "".join(PLAIN).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        for sign, other in PLAIN.items():
            text = text.replace(sign, other)
    return text


def result_lines(result: Result, texts: Texts) -> Iterator[Line]:
    """The lines that show a result."""
    count = len(result.steps)
    titles = [texts(f"step.{name}") for name in result.steps]
    if not result.failure:
        yield Line(texts("passed", exercise=result.name, count=count), "bold green")
        return
    number = result.passed + 1
    place = texts("step_of", number=number, count=count)
    yield Line(f"{result.name} · {place} · {titles[result.passed]}", "bold")
    passed = [f"{n} ✓ {title}" for n, title in enumerate(titles[: result.passed], 1)]
    for row in packed(passed, 2):
        yield Line(row, "green")
    yield from failure_lines(number, result.failure, texts)
    later = [f"{n} {title}" for n, title in enumerate(titles[number:], number + 1)]
    for row in packed([texts("later"), *later] if later else [], 2):
        yield Line(row, "dim")


def packed(pieces: list[str], indent: int) -> Iterator[str]:
    """Pieces in rows, as many in each as fit."""
    row = ""
    for piece in pieces:
        if row and cell_len(f"{row}   {piece}") > COLUMNS:
            yield row
            row = ""
        row = f"{row}   {piece}" if row else " " * indent + piece
    if row:
        yield row


def failure_lines(number: int, failure: Failure, texts: Texts) -> Iterator[Line]:
    """The failed step: its bytes, a sentence about them, what the program did wrong, its own lines."""
    mismatch, mark = failure.mismatch, f"  {number} ✗ "
    for line in _bytes(mismatch, texts):
        yield line._replace(text=mark + line.text[len(mark) :]) if mark else line
        mark = ""
    for said in sentences(failure, texts):
        yield Line((mark or " " * INDENT) + texts.sentence(said), "red", INDENT)
        mark = ""
    for own in failure.lines:
        yield Line(" " * INDENT + own, "yellow", INDENT + 2)


def sentences(failure: Failure, texts: Texts) -> list[Said]:
    """What is wrong with the bytes, and what with the program; one of them where it says all."""
    said, trouble = failure.mismatch.said, failure.trouble
    if said.key in UNREACHABLE and trouble:
        return [trouble]
    if said.key == OTHER_BYTES and remark(failure.mismatch, texts):
        return [trouble] if trouble else []
    return [said, trouble] if trouble and trouble.key != said.key else [said]


def _bytes(mismatch: Mismatch, texts: Texts) -> Iterator[Line]:
    if mismatch.sent:
        yield from _labelled(texts("sent"), rows(mismatch.sent, 0))
    if mismatch.expected:
        short = isinstance(mismatch.expected, str) and len(mismatch.expected) <= LETTERS
        start = 0 if short else max(0, mismatch.differs - BEFORE)
        yield from _labelled(texts("expected"), rows(mismatch.expected, start)[:1])
        received = rows(mismatch.received, start)[:1] if mismatch.received else [texts("nothing")]
        yield from _labelled(texts("received"), received)
        if mismatch.received:
            yield _caret(mismatch, start, texts)
    elif mismatch.received:
        yield from _labelled(texts("received"), rows(mismatch.received, 0)[:1])


def _labelled(label: str, shown: list[str]) -> Iterator[Line]:
    for place, row in enumerate(shown):
        head = set_cell_size(label if place == 0 else "", LABEL)
        yield Line(f"{' ' * INDENT}{head}{row}")


def rows(data: Shown, start: int) -> list[str]:
    """Bytes in hexadecimal from a place on, or the lines of text or of an HTTP head."""
    if isinstance(data, bytes) and data.startswith(HTTP):
        lines = [line for line in data.decode("latin-1").split("\r\n") if line]
        return [_clipped(line, 0) for line in lines[:MOST_ROWS]]
    if isinstance(data, str):
        return [_clipped(data, start)]
    before = "… " if start else ""
    return [before + data[start : start + BYTES].hex(" ") + (" …" if len(data) > start + BYTES else "")]


def _clipped(text: str, start: int) -> str:
    clean = visible(text)
    return (
        ("… " if start else "")
        + clean[start : start + LETTERS]
        + (" …" if len(clean) > start + LETTERS else "")
    )


def _caret(mismatch: Mismatch, start: int, texts: Texts) -> Line:
    """The line below the first wrong byte, with what the anatomy says about it."""
    place = (mismatch.differs - start) * (1 if isinstance(mismatch.expected, str) else 3) + 2 * bool(start)
    column = INDENT + LABEL + place
    note = remark(mismatch, texts)
    return Line(f"{' ' * column}^ {note}".rstrip(), "", min(column + 2, 40))


def remark(mismatch: Mismatch, texts: Texts) -> str:
    """What the first wrong byte of a frame is."""
    expected, received, place = mismatch.expected, mismatch.received, mismatch.differs
    if isinstance(expected, str) or isinstance(received, str):
        return ""
    if place == 1 and len(received) > 1 and (expected[1] ^ received[1]) & 0x80:
        return texts("mask_missing" if expected[1] & 0x80 else "mask_bit")
    return catalogue(texts.language).get(f"note.{note_key(expected, place)}", "")


def note_key(data: bytes, place: int) -> str:
    """The key of the note for a byte of a frame, as `/anatomy` shows it; the frame may be cut."""
    frame = frames.read(data, 0)
    if not frame or frame.opcode not in frames.KINDS:
        return "mask-length" if place == 1 else "extended-length" if place else ""
    fields = frames.piece(data, frame, FRAMING, [Inner(len(frame.payload), "payload", "")]).fields
    return next((field.note for field in fields if field.start <= place < field.end), "")
