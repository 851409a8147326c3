"""An eighth technique: a response that never ends, in parts, each with one message (multipart, 1995).

    client                       server
      |── GET ?after=7 ────────────>|
      |<──── 200, multipart ────────|      the response begins, and never ends
      :                             :   <- message 8 arrives
      |<──── a part with {…8…} ─────|      the boundary after it says that it is whole

A part has a head of its own (RFC 2046 section 5.1).
"""

from lab.room.messages import Batch
from lab.techniques.endpoint import Endpoint
from lab.techniques.streaming import stream

ROW = 'Technique("multipart", "multipart streaming", "multipart 流", "stream", "#5D4037", "#D7B8A8", "H")'
PREAMBLE = b""
HEARTBEAT = b"\r\n"


def frame(batch: Batch) -> bytes:
    """One part for each event."""
    head = b"--part\r\nContent-Type: application/json\r\n\r\n"
    return b"".join(head + event.json + b"\r\n" for event in batch.events)


class Multipart(Endpoint):
    """Stream: the events after my cursor, without end."""

    mode = "multipart"
    content_type = "multipart/x-mixed-replace; boundary=part"
    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    async def get(self) -> None:
        """Begin the response at once, then send every later event."""
        await stream(self, frame, PREAMBLE, HEARTBEAT)


ROUTES = [("/multipart", Multipart)]


async def listen(link):
    """The simulated client: receive. Compare lab/clients/fetch.py."""
    raise NotImplementedError


async def send(link, message):
    """The simulated client: send a message; returns its id."""
    return await link.post("/multipart", message)


# The page: what pages/static/techniques/fetch.js is for its technique.
PAGE = ""

if __name__ == "__main__":  # change nothing here: it runs a copy of the lab with this technique
    from lab.exercises.own_technique import run

    run(__file__, ROW, PAGE)
