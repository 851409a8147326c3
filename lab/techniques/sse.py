"""Server-sent events: a response that never ends, in a format that browsers parse.

    client                       server
      |── GET ?after=7 ────────────>|
      |<──── 200, event-stream ─────|      the response begins, and never ends
      :                             :   <- message 8 arrives
      |<──── id: 8  data: {…} ──────|
      |<──── id: 9  data: {…} ──────|      after a break, EventSource reconnects
      |── GET  Last-Event-ID: 9 ───>|      by itself and sends its last id

Costs one request, then a few bytes of framing per message. The HTML standard, section 9.2.
"""

import random
from typing import Any

from lab.room.messages import Batch, Cursor, Event, bye
from lab.techniques.accept import takes
from lab.techniques.endpoint import Endpoint
from lab.techniques.streaming import stream

PREAMBLE = b"retry: 2000\n\n"
"""Milliseconds after which EventSource reconnects."""
BACK_AFTER_MS = (1000, 5000)
"""Times (ms) to reconnect for clients that a full lab refused, random so that they do not come together."""
IN_QUERY = "lastEventId"
"""Query parameter of the polyfill Yaffle/EventSource for the last id, as it may not set the header field."""
HEARTBEAT = b":\n\n"
"""A comment: EventSource ignores it, and for a proxy the connection is not idle."""


def frame(batch: Batch) -> bytes:
    """One block per event: its cursor as `id`, its JSON on one `data` line, a name unless it is a message."""
    return b"".join(_block(event) for event in batch.events)


def _block(event: Event) -> bytes:
    name = b"" if event.kind == "message" else b"event: " + event.kind.encode() + b"\n"
    id_ = b"id: " + str(event.cursor).encode() + b"\n" if event.cursor else b""
    return name + id_ + b"data: " + event.json + b"\n\n"


class ServerSentEvents(Endpoint):
    """Stream: the events after my cursor, without end."""

    mode = "sse"
    content_type = "text/event-stream; charset=utf-8"
    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    @property
    def after(self) -> Cursor | None:
        """The cursor of the client; after a break EventSource sends it in a header field, which takes
        precedence."""
        last = self.request.headers.get("Last-Event-ID") or self.query(IN_QUERY)
        return Cursor.parse(last) if last else super().after

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send a temporary error inside a stream, because EventSource gives up on any status but 200."""
        streams = takes(self.request.headers.get("Accept", ""), "text/event-stream")
        if status_code != 503 or not streams:
            return super().write_error(status_code, **kwargs)
        self.set_status(200)
        retry_ms = random.randint(*BACK_AFTER_MS)
        leave = frame(Batch((bye(retry_ms),), self.room.top))
        self.finish(b"retry: %d\n%b" % (retry_ms, leave))

    async def get(self) -> None:
        """Begin the response at once, then send every later event."""
        self.set_header("X-Accel-Buffering", "no")
        await stream(self, frame, PREAMBLE, HEARTBEAT)


ROUTES = [("/sse", ServerSentEvents)]
