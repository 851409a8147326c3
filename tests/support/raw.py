"""Requests byte by byte, as no client library writes them, and all answers that they get."""

import json
from contextlib import suppress

from tests.support.drafts import draft
from tests.support.wire import Answer, Closed, Wire

OWN = "Host: localhost"
JSON_POST = ("POST /sse HTTP/1.1", OWN, "Content-Type: application/json")


def raw(*lines: str) -> bytes:
    """A head of these lines."""
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def message(text: str, *lines: str) -> bytes:
    """A whole send of this text, with these lines in its head."""
    body = json.dumps(draft(text))
    return raw(*JSON_POST, *lines, f"Content-Length: {len(body)}") + body.encode()


def chunked(body: str, extension: str = "", last: str = "0", trailers: tuple[str, ...] = ()) -> bytes:
    """A send of this body in two chunks, with what may stand between them."""
    pieces = [f"{len(piece):x}{extension}\r\n{piece}\r\n" for piece in (body[:9], body[9:])]
    end = "\r\n".join((last, *trailers, "", ""))
    return raw(*JSON_POST, "Transfer-Encoding: chunked") + "".join((*pieces, end)).encode("latin-1")


async def answers(port: int, data: bytes, count: int = 0, ends: bool = False) -> list[Answer]:
    """All answers to these bytes until the lab closes, or so many; `ends` closes this side first."""
    wire, found = await Wire.open(port), []
    with suppress(BrokenPipeError, ConnectionResetError):
        await wire.send(data)
    if ends:
        wire.end()
    method = data.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1")
    with suppress(Closed):
        while not count or len(found) < count:
            found.append(await wire.read_answer(method))
    return found
