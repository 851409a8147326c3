"""Recognise a whole poll in received bytes: a request so plain that every parser reads it in the same way.

Nothing is refused here. What is not recognised goes to Tornado: a body, an upgrade, a condition, a wish to
close, a header field that is not in the list, an escape in the query, a second request behind the first.
What is recognised is read by Tornado's own classes; requests of the same kind share the result.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPServerRequest, RequestStartLine

from lab.server.connections.heads import understood

LONGEST = 2048
"""Bytes of a head that may be recognised; browsers send 400 to 900."""
KNOWN = 512
"""Header blocks and targets of which the parsed form is kept, the newest: at most two megabytes."""
TARGET = re.compile(rb"GET (/[\w/]*)(?:\?([\w=&.~$-]*))? HTTP/1\.1")
"""Paths and queries without an escape, which mean what they show."""
END = b"\r\n\r\n"
NAMES = (
    "accept accept-charset accept-encoding accept-language cache-control connection cookie dnt host origin "
    "pragma priority referer sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode "
    "sec-fetch-site sec-fetch-user sec-gpc user-agent"
)
HARMLESS = frozenset(NAMES.split())
"""Header fields that change nothing in the response to a GET of a poll."""


class Target(NamedTuple):
    """A path and its query."""

    start_line: RequestStartLine
    path: str
    arguments: dict[str, str]


class Fields(NamedTuple):
    """Header fields, and the name of the host that they ask for."""

    headers: HTTPHeaders
    host_name: str


class Asked(NamedTuple):
    """A poll that was recognised."""

    start_line: RequestStartLine
    path: str
    arguments: dict[str, str]
    headers: HTTPHeaders
    host_name: str


def recognised(data: bytes) -> Asked | None:
    """The poll that these bytes are, from the first to the last; None for anything else."""
    if len(data) > LONGEST or not data.endswith(END):
        return None
    line, _, block = data.partition(b"\r\n")
    target = _target(line)
    fields = _fields(block) if target else None
    return Asked(*target, *fields) if target and fields else None


@lru_cache(KNOWN)
def _target(line: bytes) -> Target | None:
    found = TARGET.fullmatch(line)
    if not found:
        return None
    path, query = found[1].decode(), (found[2] or b"").decode()
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    arguments = {name: value for name, _, value in pairs}
    if len(arguments) < len(pairs) or not all(name and equals for name, equals, _ in pairs):
        return None
    uri = line.split(b" ")[1].decode()
    return Target(RequestStartLine("GET", uri, "HTTP/1.1"), path, arguments)


@lru_cache(KNOWN)
def _fields(block: bytes) -> Fields | None:
    lines = block.count(b"\r\n")
    if block.find(END) != len(block) - len(END) or block.count(b"\r") != lines or block.count(b"\n") != lines:
        return None
    try:
        headers = HTTPHeaders.parse(block.decode("latin-1"))
        start_line = understood(RequestStartLine("GET", "/", "HTTP/1.1"), headers)
        request = HTTPServerRequest(start_line=start_line, headers=headers)
    except HTTPInputError:  # Tornado, or the lab, refuses it
        return None
    return Fields(headers, request.host_name) if _is_plain(headers, lines - 1) else None


def _is_plain(headers: HTTPHeaders, lines: int) -> bool:
    """Whether each line is a field of its own that is harmless, and the connection stays open."""
    alone = len(headers) == lines and HARMLESS.issuperset(name.lower() for name in headers)
    return alone and headers.get("Connection", "keep-alive").lower() == "keep-alive"
