"""The bytes of one request of a lane, or of one send, as they crossed the socket, and their units."""

import asyncio
import re

from lab.catalogue import MODES
from lab.errors import BadParameter, Forbidden, NotFound
from lab.json_types import JsonObject
from lab.lanes.capture import Capture
from lab.lanes.recorder import Recorder
from lab.room.messages import UUID, compact
from lab.server.lesson.lesson import Lesson
from lab.techniques.endpoint import Endpoint

NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
NOT_KEPT = "These bytes are no longer kept."


class WireView(Endpoint):
    """The bytes of a request in a lane or of a send: a student sees those of the own page, the teacher all.

    A page gets the bytes of its own sends on `/live`.
    """

    async def get(self) -> None:
        """`lane` and `from` name a request, `as` the page; `mid` names a send. Raises `NotFound`,
        `Forbidden`, `BadParameter`."""
        if mid := self.get_query_argument("mid", ""):
            found = await self._send(mid)
        else:
            found = await self._request()
        self.finish(await asyncio.to_thread(compact, found))

    @property
    def lesson(self) -> Lesson:
        """The lesson that the pages share."""
        lesson: Lesson = self.settings["lesson"]
        return lesson

    @property
    def is_teacher(self) -> bool:
        """Whether the request has the teacher's cookie."""
        return self.lesson.key.fits(self.get_cookie(self.lesson.cookie, ""))

    async def _send(self, mid: str) -> JsonObject:
        if not UUID.fullmatch(mid):
            raise BadParameter("mid must be the UUID of a message.")
        if not self.is_teacher:
            raise Forbidden(
                "Only the teacher may see the bytes of any send; a page asks for its own on /live."
            )
        if (found := await self.context.sends.as_json(mid.lower())) is None:
            raise NotFound(NOT_KEPT)
        return found

    async def _request(self) -> JsonObject:
        capture = self._wanted(self.lesson.shown.recorder)
        own = capture.owner and capture.owner == self.get_query_argument("as", "")
        if not own and not self.is_teacher:
            raise Forbidden("These are the bytes of another user; only the teacher may see them.")
        return await asyncio.to_thread(capture.shown().as_json)

    def _wanted(self, recorder: Recorder) -> Capture:
        mode, moment = self.get_query_argument("lane", ""), self.get_query_argument("from", "")
        if not mode or not moment:
            raise NotFound("A request is named by lane and from, a send by mid.")
        if mode not in MODES or not NUMBER.fullmatch(moment):
            raise BadParameter(
                "lane must be the name of a technique, and from the moment in ms at which a bar begins."
            )
        if (capture := recorder.capture(mode, float(moment))) is None:
            raise NotFound(NOT_KEPT)
        return capture
