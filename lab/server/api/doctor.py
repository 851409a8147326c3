"""What `/doctor` needs of the server: a stream that tests the way to the browser, and a place for verdicts.

The bytes of both belong to no technique: the meters count them in `other`.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator

from tornado.iostream import StreamClosedError

from lab.errors import BadJson, BadParameter
from lab.json_types import JsonObject
from lab.room.messages import compact
from lab.server.lesson.lesson import Lesson
from lab.server.lesson.networks import FAULTS
from lab.techniques.endpoint import Endpoint
from lab.techniques.refusals import parse_json, require_json

APART_S = 1.0
"""Seconds between the first two events."""
MOST_SILENCE_S = 16.0
"""The longest silence before the third event, longer than the lab's usual heartbeat."""
FORMS = {
    "events": ("text/event-stream", b"data: %b\n\n", b":\n\n"),
    "lines": ("application/x-ndjson", b"%b\n", b"\n"),
}
"""For each form: its media type, one event, and a heartbeat."""


class ProbeStream(Endpoint):
    """A short stream: an event at once, one a second later, and perhaps one after a silence."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    async def get(self) -> None:
        """Send the events as `as` names the form. Raises `BadParameter`, `TooManySends`."""
        lesson: Lesson = self.settings["lesson"]
        content_type, event, heartbeat = self._form()
        silence = self._silence()
        self.set_header("Content-Type", content_type)
        self.set_header("X-Accel-Buffering", "no")
        if not self.asks:
            return
        lesson.probe_stream_rate.take(self.request.remote_ip or "", self.now())
        self.stream.brief = False  # its client may leave before the end
        try:
            async for text in self._events(event, heartbeat, silence):
                self.write(text)
                await self.flush()
            self.finish()
        except (StreamClosedError, asyncio.CancelledError):
            pass  # the client closed the connection

    async def post(self) -> None:
        """Respond at once with one event as JSON, whatever was sent; nothing is kept."""
        lesson: Lesson = self.settings["lesson"]
        await self.whole_body()
        lesson.probe_stream_rate.take(self.request.remote_ip or "", self.now())
        self.finish(probe(1))

    def _form(self) -> tuple[str, bytes, bytes]:
        form = self.query("as") or "events"
        if form not in FORMS:
            raise BadParameter(f"as must be one of {', '.join(FORMS)}.")
        return FORMS[form]

    def _silence(self) -> float:
        try:
            seconds = float(self.query("silence") or 0)
        except ValueError:
            seconds = -1
        if not 0 <= seconds < math.inf:
            raise BadParameter("silence must be a number of seconds, 0 or more.")
        return min(seconds, MOST_SILENCE_S, self.context.settings.hold)

    async def _events(self, event: bytes, heartbeat: bytes, silence: float) -> AsyncIterator[bytes]:
        yield event % probe(1)
        await self._pause(min(APART_S, self.context.settings.hold))
        yield event % probe(2)
        if not silence:
            return
        every = self.context.settings.heartbeat
        for _ in range(int(silence / every)):
            await self._pause(every)
            yield heartbeat
        await self._pause(silence % every)
        yield event % probe(3)

    async def _pause(self, seconds: float) -> None:
        self.waiter = asyncio.ensure_future(asyncio.sleep(seconds))
        await self.waiter


def probe(number: int) -> bytes:
    """One event: its number, and the server's time."""
    return compact({"type": "probe", "n": number, "time": time.time()})


class Verdict(Endpoint):
    """Where a page reports what its network does."""

    SUPPORTED_METHODS = ("POST",)

    async def post(self) -> None:
        """Keep the faults of this address. Raises `BadParameter`, `TooManySends`."""
        require_json(self.request.headers)
        lesson: Lesson = self.settings["lesson"]
        faults = read_faults(parse_json(await self.whole_body()))
        lesson.report_rate.take(self.request.remote_ip or "", self.now())
        lesson.networks.report(self.request.remote_ip or "", faults)
        self.finish(compact({"faults": faults}))


def read_faults(wanted: object) -> list[str]:
    """The faults in a verdict, which has no other field. Raises `BadJson`, `BadParameter`."""
    if not isinstance(wanted, dict):
        raise BadJson("A verdict must be a JSON object.")
    fields: JsonObject = wanted
    found = fields.get("faults")
    faults = [fault for fault in FAULTS if isinstance(found, list) and fault in found]
    if set(fields) != {"faults"} or not isinstance(found, list) or len(found) != len(faults):
        raise BadParameter(
            f"faults, the only field, must be a list of different words of: {', '.join(FAULTS)}."
        )
    return faults
