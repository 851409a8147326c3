"""The WebSocket `/live`: everything that the pages show and that is not chat, once a second.

`{"type":"news","meters":…,"presence":[…], …}`, where the parts of a lesson add their own keys. A page that
asks for `/live?light=1` (a phone in the room) hears only what changes seldom, and only when it has changed.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any

from tornado.iostream import StreamClosedError

from lab.errors import Forbidden, LabError, TooManySends
from lab.json_types import JsonObject
from lab.room.messages import compact
from lab.server.lesson.lesson import Lesson
from lab.techniques.endpoint import Endpoint
from lab.techniques.frames import text_frame
from lab.techniques.guards import MOST_REFUSALS, TOO_FAST, require_handshake
from lab.techniques.protocol import CheckedHandler
from lab.techniques.refusals import error_json
from lab.techniques.send_rate import SendRate

WHERE_TO = "What changes the lesson is for the teacher only, and asked for by POST."
PER_S = 20
"""What a page may say, with a burst of twice as much: many times what any of the lab's own does."""


class Live(Endpoint, CheckedHandler):
    """One page that watches."""

    SUPPORTED_METHODS = ("GET",)
    lesson: Lesson
    is_teacher = False
    light = False
    refusals = 0
    _last = b""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Shake hands."""
        require_handshake(self.request)
        self.negotiate(compression=False)
        self.lesson = self.settings["lesson"]
        self.rate = SendRate(PER_S)
        self.light = self.get_query_argument("light", "") == "1"
        self.is_teacher = self.lesson.key.fits(self.get_cookie(self.lesson.cookie, ""))
        await super().get(*args, **kwargs)

    def open(self, *args: str, **kwargs: str) -> None:
        """A page is watching."""
        self.lesson.live_pages.add(self)
        self.show(light_news(self.lesson, [], []) if self.light else news(self.lesson))

    def on_message(self, message: str | bytes) -> None:
        """A page says something; who says too much is refused, and in the end hung up on."""
        try:
            self.rate.take("", self.now())
        except TooManySends as error:
            self.refusals += 1
            return self.close(TOO_FAST, error.code) if self.refusals > MOST_REFUSALS else self.refuse(error)
        with suppress(ValueError, RecursionError, TypeError, KeyError):
            self.handle(json.loads(message))

    def handle(self, fields: Any) -> None:
        """Hand it to whoever listens for its type."""
        if handler := self.lesson.handlers.get(str(fields["type"])):
            handler(self, fields)
        else:
            self.refuse(Forbidden(WHERE_TO))

    def refuse(self, error: LabError) -> None:
        """Say no, in the shape of every error."""
        self.send(compact({"type": "error"} | error_json(error, 400, False)))

    def show(self, news: bytes) -> None:
        """Send what is new, unless this page has not yet taken what was sent before."""
        if not self.stream.writing() and not (self.light and news == self._last):
            self._last = news
            self.send(news)

    def send(self, message: bytes) -> bool:
        """Send something that is for this page alone; False when it cannot take it now, or is closing."""
        if self.ws_connection is None or self.stream.writing():
            return False
        with suppress(StreamClosedError):  # it has just gone, and `on_close` is on its way
            self.stream.write(text_frame(message))
        return True

    def on_close(self) -> None:
        """The page is closed."""
        self.lesson.live_pages.discard(self)
        for handler in self.lesson.on_close:
            handler(self)


def news(lesson: Lesson) -> bytes:
    """Everything, as it is now."""
    lesson.credit()
    fields = {"type": "news", "meters": lesson.context.meters.as_json(), "presence": here(lesson)}
    return compact(fields | made(lesson.on_change) | made(lesson.every_second))


def light_news(lesson: Lesson, came: list[JsonObject], left: list[JsonObject]) -> bytes:
    """What changes seldom: how many are here, who came and who left, and what the parts of the lesson add."""
    fields = {"type": "news", "here": len(here(lesson)), "came": came, "left": left}
    return compact(fields | made(lesson.on_change))


def here(lesson: Lesson) -> list[JsonObject]:
    """The guest list of this moment."""
    return lesson.context.presence.here(asyncio.get_running_loop().time())


def made(parts: JsonObject) -> JsonObject:
    """What the parts of the lesson have to tell."""
    return {key: make() for key, make in parts.items()}


def movements(lesson: Lesson) -> tuple[list[JsonObject], list[JsonObject]]:
    """Who came and who left since this was last asked: `{"client","username"}` each."""
    now = {guest["client"]: guest["username"] for guest in here(lesson)}
    was, lesson.known_users = lesson.known_users, now
    return only(now, was), only(was, now)


def only(these: dict[str, str], others: dict[str, str]) -> list[dict[str, str]]:
    """Those who are in the one list and not in the other."""
    return [{"client": c, "username": name} for c, name in these.items() if c not in others]


def spread(lesson: Lesson) -> None:
    """Tell every page what is new."""
    for pulse in lesson.before_tick:
        pulse()
    came, left = movements(lesson)
    for light in {page.light for page in lesson.live_pages}:
        fields = light_news(lesson, came, left) if light else news(lesson)
        for page in [page for page in lesson.live_pages if page.light is light]:
            page.show(fields)
