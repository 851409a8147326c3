"""HTTP heads: the request or status line, and each header field (RFC 9112 sections 2 to 5)."""

import re
from typing import NamedTuple

from lab.anatomy.notes import NOTES
from lab.anatomy.units import HEAD, PAYLOAD, Piece, Tiler

REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+ )([^\x00-\x20\x7f]+)( HTTP/[0-9]\.[0-9]\r?\n)")
STATUS = re.compile(rb"(HTTP/[0-9]\.[0-9] )([0-9]{3})([^\r\n]*\r?\n)")
LATER_REQUEST = re.compile(rb"[A-Z]{3,20} [^\x00-\x20\x7f]+ HTTP/[0-9]\.[0-9]\r?\n")
"""Finds a request after bytes that are none; a short method keeps the search linear."""
END = re.compile(rb"\n\r?\n")
LONGEST_NUMBER = 15


class Head(NamedTuple):
    """A whole head: where it begins, where the parts of its first line end, and where it ends."""

    start: int
    first: tuple[int, int, int]
    end: int
    text: str
    """The first line."""
    headers: dict[str, str]
    """Values by name in lower case; of a repeated field all values, with commas."""

    @property
    def method(self) -> str:
        """The method of a request."""
        return self.text.split(" ")[0]

    @property
    def target(self) -> str:
        """The target of a request."""
        return self.text.split(" ")[1]

    @property
    def status(self) -> int:
        """The status of a response."""
        return int(self.text.split(" ")[1][:3])

    @property
    def chunked(self) -> bool:
        """Whether a body in chunks follows."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        """The length of the body; None when the head does not state it."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None

    @property
    def media_type(self) -> str:
        """The type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse(data: bytes, place: int, came: bool) -> Head | None:
    """The head that begins at `place`; None when no whole head does."""
    first = (REQUEST if came else STATUS).match(data, place)
    end = END.search(data, first.end() - 1) if first else None
    if not first or not end:
        return None
    lines = data[first.end() : end.end()].decode("latin-1").split("\n")
    headers: dict[str, str] = {}
    for name, colon, value in (line.partition(":") for line in lines):
        if colon:
            key = name.strip().lower()
            headers[key] = ", ".join([headers[key], value.strip()] if key in headers else [value.strip()])
    ends = (first.end(1), first.end(2), first.end(3))
    return Head(place, ends, end.end(), first[0].decode("latin-1").rstrip("\r\n"), headers)


def find(data: bytes, place: int, came: bool) -> int:
    """Where the next head begins, at or after `place`; -1 when there is none."""
    found = (LATER_REQUEST if came else STATUS).search(data, place)
    # A head that has no end has none that is later either.
    return found.start() if found and parse(data, found.start(), came) else -1


def piece(data: bytes, head: Head, came: bool, sent: list[tuple[int, int]]) -> Piece:
    """The unit of a head; `sent` are the places in its target that hold a message, which is payload."""
    tiler, (one, two, three) = Tiler(data, head.start), head.first
    names = ("method", "request-target", "http-version") if came else ("http-version", "status", "reason")
    _add(tiler, one, names[0])
    for start, end in sent:
        _add(tiler, start, names[1])
        tiler.add(end, PAYLOAD, "query-value")
    _add(tiler, two, names[1], "" if came else f"status.{data[one : one + 1].decode('latin-1')}")
    _add(tiler, three, names[2])
    while (end := data.index(b"\n", tiler.place) + 1) < head.end:
        name = data[tiler.place : end].partition(b":")[0].decode("latin-1").strip().lower()
        _add(tiler, end, "header-field", f"header.{name}")
    _add(tiler, head.end, "end-of-head")
    return tiler.piece("request" if came else "response")


def _add(tiler: Tiler, end: int, name: str, note: str = "") -> None:
    """A field of a head is Latin-1; it has a sentence of its own, or that of all fields of its name."""
    value = tiler.data[tiler.place : end].decode("latin-1").strip("\r\n")
    tiler.add(end, HEAD, name, value.strip(" "), note if note in NOTES else name)
