"""Short polling: the client asks again and again whether there is anything new.

    client                       server
      |── GET ?after=7 ────────────>|
      |<──────────── nothing ───────|      no message meanwhile: an empty response
      :  (waits an interval)        :   <- message 8 arrives
      |── GET ?after=7 ────────────>|
      |<──────────── message 8 ─────|      half an interval late, on average

Costs a whole request and response per interval, with or without messages; keeps no request open.
The standard is plain HTTP (RFC 9110); RFC 6202 section 1 calls it polling.
"""

from lab.room.messages import Batch
from lab.techniques import polling
from lab.techniques.endpoint import Endpoint

frame = polling.frame


class ShortPoll(Endpoint):
    """Ask: the events after my cursor, now, perhaps none."""

    mode = "shortpoll"
    waits = False
    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    def get(self) -> None:
        """Respond at once; with 304 when `If-None-Match` names the newest cursor."""
        batch = self.room.ask(self.after)
        self.set_header("ETag", f'"{batch.cursor}"')
        if self.check_etag_header() and not self.context.draining:  # a bye must be sent
            self.set_status(304)
            return self.answer(b"", Batch((), batch.cursor))
        self.answer(batch.framed(frame), batch)


ROUTES = [("/shortpoll", ShortPoll)]
