"""One exchange of each technique as bytes: a request, and a response with a batch of events."""

from itertools import pairwise

from lab.anatomy import Part
from lab.catalogue import server_side
from lab.room.messages import Batch, Cursor, Event, bye, compact, gap
from lab.techniques.streaming import chunk
from tests.support.framings import CLOSE, PONG, TEXT, client_frame

TEXTS = ["short", "中文", "x" * 300, "</script>&\u2028\u2029<!--", 'quotes "\\" and \\u003c \n']
MESSAGES = [
    Event(compact({"type": "message", "body": text}), Cursor(1, n)) for n, text in enumerate(TEXTS, 1)
]
BATCH = Batch((gap(3), *MESSAGES, bye(2000)), Cursor(1, 5))
REQUEST = b"GET /%b?after=1-1 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\r\n\r\n"
TYPES = {
    "sse": "text/event-stream", "iframe": "text/html; charset=utf-8", "fetch": "application/x-ndjson",
    "jsonp": "application/javascript; charset=utf-8",
}  # fmt: skip


def body(mode):
    """The body of a poll as the technique frames it, or the pieces of a stream."""
    side = server_side(mode)
    framed = BATCH.framed(side.frame)
    if hasattr(side, "HEARTBEAT"):
        return [getattr(side, "PREAMBLE", b""), framed, side.HEARTBEAT]
    return [side.call("lab.receive", framed) if hasattr(side, "call") else framed]


def exchange(mode):
    """All bytes of one request and of its response: those of the client, and those of the server."""
    request, pieces = REQUEST % mode.encode(), body(mode)
    if mode == "websocket":
        pong = client_frame(PONG, b"") + client_frame(TEXT, b'{"mid":"?"}') + client_frame(CLOSE, b"\x03\xe8")
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-A: %b\r\n\r\n" % (b"x" * 99)
        return request.replace(b"X-A: b", b"Upgrade: websocket") + pong, head + b"".join(
            pieces
        ) + b"\x88\x02\x03\xe8"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {TYPES.get(mode, 'application/json')}\r\n".encode()
    if len(pieces) == 1:
        return request, b"%bContent-Length: %d\r\n\r\n%b" % (head, len(pieces[0]), pieces[0])
    chunks = b"".join(chunk(piece) for piece in pieces) + b"0\r\n\r\n"
    return request, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks


def parts_of(client, server, *cuts):
    """The bytes of both directions as reads and writes, the server's cut at these places."""
    edges = [0, *sorted(cuts), len(server)]
    pieces = [Part(n, False, server[a:b]) for n, (a, b) in enumerate(pairwise(edges), 1)]
    return [Part(0, True, client), *pieces]
