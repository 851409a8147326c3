"""Parse the head of a request as RFC 9112 requires, where Tornado parses it differently or not at all."""

import re
from functools import lru_cache

from tornado.httputil import HTTPHeaders, HTTPInputError, RequestStartLine

from lab.server.connections.refused import Refused

CONNECTION = re.compile(rb"(?im)^connection[ \t]*:([^\r\n]*)\r?\n")
TRANSFER_ENCODING = re.compile(rb"(?im)^transfer-encoding[ \t]*:")
ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)
REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\x00-\x20\x7f]+ HTTP/([0-9])\.[0-9]")
HOST = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+(?:%[\w.~%-]+)?\]|(?:[\w.~!$&'()*+;=-]|%[0-9A-Fa-f]{2})*)(?::([0-9]*))?", re.ASCII
)
"""A host as in RFC 3986 section 3.2.2, without the comma that joins two Host lines."""
LAST_PORT = 65535
LONGEST_NUMBER = 4000
"""Digits that Python reads as a number."""


def settled(head: bytes) -> bytes:
    """The same head with one plain Connection line where its options decide whether the connection stays
    open.

    Tornado compares the whole value with `close`, which may stand among others, in any case and in several
    lines (RFC 9110 section 7.6.1, RFC 9112 section 9.6). A handshake keeps its `Upgrade`.
    """
    lowered = head.lower()
    old = b" http/1.0" in lowered
    if not old and b"close" not in lowered:
        return head  # nearly every request
    options = [option.strip() for line in CONNECTION.findall(lowered) for option in line.split(b",")]
    if b"close" in options or (old and TRANSFER_ENCODING.search(head)):  # RFC 9112 section 6.1
        return head if b"upgrade" in options and not old else connected(head, b"close")
    return connected(head, b"keep-alive") if b"keep-alive" in options and old else head


def connected(head: bytes, option: bytes) -> bytes:
    """The same head with this as its only Connection line."""
    line, end, rest = CONNECTION.sub(b"", head.lstrip(b"\r\n")).partition(b"\n")
    return line + end + b"Connection: " + option + b"\r\n" + rest


def understood(start_line: RequestStartLine, headers: HTTPHeaders) -> RequestStartLine:
    """The start line with its target in origin form; an authority in it replaces Host (RFC 9112 3.2.2).

    Raises `Refused` for a target or a Host that RFC 9112 sections 3.2 and 7.4 let no server serve.
    """
    hosts = headers.get_list("Host")
    if len(hosts) > 1 or (not hosts and start_line.version != "HTTP/1.0"):
        raise Refused(400, "A request must have exactly one Host line.")
    if hosts and not is_host(hosts[0]):
        raise Refused(400, "The Host line must have a host, perhaps a port, and nothing else.")
    if start_line.path.startswith("/"):
        return start_line
    return start_line._replace(path=_origin_form(start_line, headers))


def _origin_form(start_line: RequestStartLine, headers: HTTPHeaders) -> str:
    if start_line.method == "CONNECT" or start_line.path == "*":
        return start_line.path  # no handler serves it, and the response is an error
    found = ABSOLUTE.fullmatch(start_line.path)
    if not found or not found[1].partition(":")[0] or not is_host(found[1]):
        raise Refused(400, "The target of this request is neither a path nor an http address of the lab.")
    headers["Host"] = found[1]
    return found[2] if found[2].startswith("/") else f"/{found[2]}"


@lru_cache(256)
def is_host(text: str) -> bool:
    """Whether this is a host and perhaps a port, without a user (RFC 9110 section 4.2.4)."""
    if found := HOST.fullmatch(text):
        return len(found[1] or "") <= LONGEST_NUMBER and int(found[1] or 0) <= LAST_PORT
    return False


def waits_to_send(start_line: RequestStartLine, headers: HTTPHeaders) -> bool:
    """Whether the client sends its body only after 100 Continue (RFC 9110 section 10.1.1).

    Removes the Expect line, because Tornado would send 100 Continue without asking the handler.
    Raises `Refused` for an expectation that is not known.
    """
    wanted = {value.strip().lower() for value in headers.pop("Expect").split(",")} - {""}
    if start_line.version == "HTTP/1.0" or not wanted:
        return False
    if wanted != {"100-continue"}:
        raise Refused(417, "The lab supports no expectation except 100-continue.")
    return headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in headers


def declared(headers: HTTPHeaders) -> int:
    """The Content-Length; 0 when it is absent or not one number."""
    length = headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) <= LONGEST_NUMBER else 0


# Why Tornado refused --------------------------------------------------------------------------------


def diagnosed(head: bytes) -> Refused:
    """The refusal for a request that Tornado could not parse, with the reason found in its head."""
    line, _, rest = head.lstrip(b"\r\n").partition(b"\n")
    found = REQUEST_LINE.fullmatch(line.removesuffix(b"\r"))
    if not found:
        return Refused(
            400, "The request line must be a method, a target and a version, with one space between them."
        )
    if found[1] != b"1":
        return Refused(505, "The lab supports HTTP/1.1 and HTTP/1.0.")
    try:
        return _framing(HTTPHeaders.parse(rest.decode("latin-1")))
    except HTTPInputError:
        return Refused(400, "A header line must be a name, a colon and a value without control characters.")


def _framing(headers: HTTPHeaders) -> Refused:
    codings = [coding.strip().lower() for coding in headers.get("Transfer-Encoding", "").split(",")]
    if "Transfer-Encoding" in headers and "Content-Length" in headers:
        return Refused(400, "Content-Length and Transfer-Encoding in one request contradict each other.")
    if "Transfer-Encoding" in headers and set(codings) != {"chunked"}:
        return Refused(501, "The lab supports no transfer coding except chunked.")
    if "Content-Length" in headers:
        if headers["Content-Length"].isascii() and headers["Content-Length"].isdigit():
            return Refused(413, "The body is far above the limit.")
        return Refused(400, "Content-Length must be one number of bytes.")
    return Refused(400, "The body of this request, or its query, cannot be read.")


def too_long(beginning: bytes) -> Refused:
    """The refusal of a head that is too long and begins like this."""
    if b"\n" in beginning.lstrip(b"\r\n"):
        return Refused(
            431, "The header lines are longer than the lab accepts; there may be too many cookies."
        )
    return Refused(414, "The request line is longer than the lab accepts.")
