"""HTTP streaming, read by fetch(): a response that never ends, with one JSON object on each line.

    client                       server
      |── GET ?after=7 ────────────>|
      |<──── 200, x-ndjson ─────────|      the response begins, and never ends
      :                             :   <- message 8 arrives
      |<──── {…8…} and a line end ──|      the page's code reads each line as it comes
      |<──── {…9…} and a line end ──|      after a break, that code must reconnect

Costs one request, then a line end and a chunk around each message. RFC 6202 section 3 calls it HTTP
streaming, RFC 9112 section 7.1 has the chunks. The Fetch standard made the body readable piece by piece.
"""

from lab.room.messages import Batch
from lab.techniques.endpoint import Endpoint
from lab.techniques.streaming import stream

PREAMBLE = HEARTBEAT = b"\n"
"""An empty line: NDJSON parsers skip it, and for a proxy the connection is not idle."""


def frame(batch: Batch) -> bytes:
    """One line per event: its JSON, in which each line end is escaped (RFC 8259 section 7)."""
    return b"".join(event.json + b"\n" for event in batch.events)


class Fetch(Endpoint):
    """Stream: the events after my cursor, without end."""

    mode = "fetch"
    content_type = "application/x-ndjson"
    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    async def get(self) -> None:
        """Begin the response at once, then send every later event."""
        self.set_header("X-Accel-Buffering", "no")
        await stream(self, frame, PREAMBLE, HEARTBEAT)


ROUTES = [("/fetch", Fetch)]
