"""The lines between the chunks of a body: sizes, extensions and trailers (RFC 9112 section 7.1)."""

import re

from tornado.httputil import HTTPHeaders, HTTPInputError

from lab.server.connections.refused import Refused

LINE_BYTES = 1024
"""Most bytes of a line with a chunk's size; a longer line must be refused (RFC 9112 section 7.1.1)."""
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = rb'"(?:[\t !\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t -\x7e\x80-\xff])*"'
EXTENSION = rb"[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?" % (TOKEN, TOKEN, QUOTED)
SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:%b)*\r\n" % EXTENSION)
PLAIN = re.compile(rb"0{0,9}[1-9A-Fa-f][0-9A-Fa-f]{0,15}\r\n")
"""A size without extensions, of a chunk that is not the last: nearly every one."""
END_OF_TRAILERS = rb"\A(?=\r\n)|\r\n(?=\r\n)|(?<!\r)\n"
"""Leaves the empty line, which Tornado wants to read itself; a bare line feed is refused at once."""


def size_line(line: bytes) -> bytes:
    """The line with the size alone, as the lab knows no chunk extension. Raises `Refused`."""
    found = SIZE_LINE.fullmatch(line)
    if not found:
        raise Refused(400, "The size of a chunk must be a hexadecimal number, perhaps with extensions.")
    return found[1] + b"\r\n"


def check_trailers(block: bytes) -> None:
    """Check that the trailers are header lines; they are then discarded (RFC 9112 section 7.1.2).

    Raises `Refused`, also for a line that another parser might read as the end.
    """
    try:
        HTTPHeaders.parse(block.decode("latin-1"))
        if block.count(b"\n") == block.count(b"\r") == block.count(b"\r\n"):
            return
    except HTTPInputError:
        pass
    raise Refused(400, "A trailer must be a name, a colon and a value without control characters.")


def too_long(in_trailers: bool) -> Refused:
    """The refusal of a line between chunks that is too long."""
    if in_trailers:
        return Refused(431, "The trailers are longer than the lab accepts.")
    return Refused(400, "The line with the size of a chunk is too long.")
