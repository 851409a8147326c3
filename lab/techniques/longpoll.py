"""Long polling: the client asks once, and the server keeps the request open until there is a message.

    client                       server
      |── GET ?after=7 ────────────>|
      :                             :      the request waits for a future
      :                             :   <- message 8 arrives
      |<──────────── message 8 ─────|      at once
      |── GET ?after=8 ────────────>|      the next request; after `hold` seconds without
      |<──────────── nothing ───────|      a message it times out: an empty response

Costs a whole request and response per message, and one open connection per client (RFC 6202 section 2).
"""

from lab.techniques import polling
from lab.techniques.endpoint import Endpoint

frame = polling.frame


class LongPoll(Endpoint):
    """Wait: the events after my cursor, or none when the future times out."""

    mode = "longpoll"
    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    async def head(self) -> None:
        """Respond as GET does, without waiting."""
        await polling.head(self)

    async def get(self) -> None:
        """Respond at the first event, or with none when the hold is over."""
        batch = await polling.wait(self)
        self.answer(batch.framed(frame), batch)


ROUTES = [("/longpoll", LongPoll)]
