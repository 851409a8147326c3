"""The bytes of one request of a lane, as they crossed the socket, and the units that they are."""

import asyncio
import re

from lab.catalogue import MODES
from lab.errors import BadParameter, Forbidden, NotFound
from lab.lanes.capture import Capture
from lab.lanes.recorder import Recorder
from lab.room.messages import compact
from lab.server.lesson.lesson import Lesson
from lab.techniques.endpoint import Endpoint

NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)


class WireView(Endpoint):
    """The bytes of a request in a lane: a student sees those of the own page, the teacher all."""

    async def get(self) -> None:
        """`lane` and `from` name the request, `as` the page. Raises `NotFound`, `Forbidden`,
        `BadParameter`."""
        lesson: Lesson = self.settings["lesson"]
        capture = self._wanted(lesson.context.recorder)
        own = capture.owner and capture.owner == self.get_query_argument("as", "")
        if not own and not lesson.key.fits(self.get_cookie(lesson.cookie, "")):
            raise Forbidden("These are the bytes of another user; only the teacher may see them.")
        self.finish(await asyncio.to_thread(lambda: compact(capture.shown().as_json())))

    def _wanted(self, recorder: Recorder) -> Capture:
        mode, moment = self.get_query_argument("lane", ""), self.get_query_argument("from", "")
        if mode not in MODES or not NUMBER.fullmatch(moment):
            raise BadParameter(
                "lane is the name of a technique, from the moment in ms at which a bar begins."
            )
        if (capture := recorder.capture(mode, float(moment))) is None:
            raise NotFound("The bytes of this request are not kept any more.")
        return capture
