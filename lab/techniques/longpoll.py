"""Long polling: the client asks once, and the server keeps the request until there is something to say.

    client                       server
      |── GET ?after=7 ────────────>|
      :                             :      held: a future that nobody has resolved yet
      :                             :   <- message 8 arrives
      |<──────────── message 8 ─────|      at once
      |── GET ?after=8 ────────────>|      and asks again; after `hold` seconds of silence,
      |<──────────── nothing ───────|      the future times out and the answer is empty

Costs a whole request and answer per message, and one open connection per client (RFC 6202 section 2).
"""

from lab.techniques import polling
from lab.techniques.endpoint import Endpoint

frame = polling.frame


class LongPoll(Endpoint):
    """Wait: the events after my cursor, or none when the future times out."""

    mode = "longpoll"
    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    async def head(self) -> None:
        """As GET, without waiting."""
        await polling.head(self)

    async def get(self) -> None:
        """Answer at the first news, or empty when the time is up."""
        batch = await polling.wait(self)
        self.answer(batch.framed(frame), batch)


ROUTES = [("/longpoll", LongPoll)]
