"""The requests and responses of a connection, one exchange after the other, and what is in their bodies."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from lab.anatomy import chunks, conversation, heads, jsonp, ndjson, polls, script, sse
from lab.anatomy.chunks import Chunk
from lab.anatomy.conversation import Agreed
from lab.anatomy.heads import Head
from lab.anatomy.side import Side, inside
from lab.anatomy.units import FRAMING, PAYLOAD, Piece, Tiler, one_field

BODIES = (polls, jsonp, script, sse, ndjson)
"""What the body of a response may be; each has its media type and the techniques that use it."""
STORED = {200, 201}
"""The statuses with which the lab accepts a message."""
BODILESS = {101, 204, 304}


class Known(NamedTuple):
    """What is known without any head: the technique, and where bytes were left out."""

    mode: str
    holes: Mapping[bool, Collection[int]]


def walk(client: Side, server: Side, known: Known) -> None:
    """Dissect both directions."""
    if not exchange(client, server, known):
        headless(client, server, known)
    while exchange(client, server, known):
        pass
    client.rest()
    server.rest()


def exchange(client: Side, server: Side, known: Known) -> bool:
    """Add one request and its response; returns whether there was any."""
    request, response = client.head(), server.head()
    while response and response.status < 200 and response.status != 101:  # 100 Continue: another one follows
        server.keep([heads.piece(server.data, response, False, [])])
        response = server.head()
    stored = response is None or response.status in STORED
    if request:
        sent = jsonp.sent_values(request) if stored else []
        client.keep([heads.piece(client.data, request, True, sent)])
        stored = stored and request.method == "POST"
    if response:
        server.keep([heads.piece(server.data, response, False, [])])
    if upgraded(request, response, server):
        converse(client, server, agreed(response) if response else None, known)
    else:
        bodies(client, server, request, response, stored)
    return bool(request or response)


def upgraded(request: Head | None, response: Head | None, server: Side) -> bool:
    """Whether frames follow: the response says so, or without a byte of it the request asks for them."""
    if response or server.place < len(server.data):
        return response is not None and response.status == 101
    return request is not None and request.headers.get("upgrade", "").lower() == "websocket"


def agreed(response: Head) -> Agreed:
    """What the server states about the frames that follow."""
    names = ("sec-websocket-extensions", "sec-websocket-protocol")
    return Agreed(*(response.headers.get(name, "") for name in names))


def converse(client: Side, server: Side, found: Agreed | None, known: Known) -> None:
    """Add the frames of both directions, up to the end."""
    sides = client, server
    both = [
        conversation.Direction(side.data, side.place, side.came, found, known.holes[side.came])
        for side in sides
    ]
    for side, pieces in zip(sides, conversation.dissect(*both), strict=True):
        side.keep(pieces)


def bodies(client: Side, server: Side, request: Head | None, response: Head | None, stored: bool) -> None:
    """Add the bodies of a request and of its response."""
    if request:
        client.body(request, lambda body: sent_body(body, stored), False)
    if response and response.status not in BODILESS and not (request and request.method == "HEAD"):
        found = [one.dissect for one in BODIES if response.media_type == one.MEDIA_TYPE]
        server.body(response, found[0] if found else plain, True)


def sent_body(body: bytes, stored: bool) -> list[Piece]:
    """The body of a request: a message, which is payload unless the lab has refused it."""
    tiler = Tiler(body, 0)
    tiler.add(len(body), PAYLOAD if stored else FRAMING, "message" if stored else "body")
    return [tiler.piece("message" if stored else "body")] if body else []


def plain(body: bytes) -> list[Piece]:
    """A body of no technique."""
    return one_field(body, 0, len(body), "body")


def headless(client: Side, server: Side, known: Known) -> None:
    """Bytes without any head: those of the technique, from the middle of a connection."""
    found = [one.dissect for one in BODIES if known.mode in one.MODES]
    if not found:
        return converse(client, server, None, known)
    start = chunks.find(server.data)
    if start >= 0:
        server.keep(one_field(server.data, 0, start))
        server.chunked(found[0])
    else:
        server.keep(inside(server.data, [Chunk(0, 0, len(server.data), len(server.data))], found[0]))
