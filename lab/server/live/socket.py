"""The WebSocket `/live`: everything that the pages show apart from the chat, once a second.

`{"type":"news","meters":…,"presence":[…], …}`, where the parts of a lesson add their own keys. A page that
opens `/live?light=1` (a phone in the room) receives only values that change seldom, when they change.
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

WHERE_TO = "Only the teacher may change the lesson, by POST."
PER_S = 20
"""Messages per second that a page may send, with a burst of twice as many; the lab's pages send far fewer."""


class Live(Endpoint, CheckedHandler):
    """The `/live` connection of one page."""

    SUPPORTED_METHODS = ("GET",)
    lesson: Lesson
    is_teacher = False
    light = False
    voter = ""
    refusals = 0
    _last = b""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Check the handshake request and respond to it."""
        require_handshake(self.request)
        self.negotiate(compression=False)
        self.lesson = self.settings["lesson"]
        self.rate = SendRate(PER_S)
        self.light = self.get_query_argument("light", "") == "1"
        self.is_teacher = self.lesson.key.fits(self.get_cookie(self.lesson.cookie, ""))
        await super().get(*args, **kwargs)

    def open(self, *args: str, **kwargs: str) -> None:
        """Register the page after the handshake."""
        self.lesson.live_pages.add(self)
        self.show(light_news(self.lesson, [], []) if self.light else news(self.lesson))

    def on_message(self, message: str | bytes) -> None:
        """Handle a message of the page; above the rate it is refused, and finally the connection is
        closed."""
        try:
            self.rate.take("", self.now())
        except TooManySends as error:
            self.refusals += 1
            return self.close(TOO_FAST, error.code) if self.refusals > MOST_REFUSALS else self.refuse(error)
        with suppress(ValueError, RecursionError, TypeError, KeyError):
            self.handle(json.loads(message))

    def handle(self, fields: Any) -> None:
        """Call the handler of the message's type."""
        if handler := self.lesson.handlers.get(str(fields["type"])):
            handler(self, fields)
        else:
            self.refuse(Forbidden(WHERE_TO))

    def refuse(self, error: LabError) -> None:
        """Send the error object."""
        self.send(compact({"type": "error"} | error_json(error, 400, False)))

    def show(self, news: bytes) -> None:
        """Send the update, unless an earlier one is still queued."""
        if not self.stream.writing() and not (self.light and news == self._last):
            self._last = news
            self.send(news)

    def send(self, message: bytes) -> bool:
        """Send a message to this page only; False when an earlier one is queued or the socket is closing."""
        if self.ws_connection is None or self.stream.writing():
            return False
        with suppress(StreamClosedError):  # just closed; `on_close` follows
            self.stream.write(text_frame(message))
        return True

    def on_close(self) -> None:
        """Unregister the page."""
        self.lesson.live_pages.discard(self)
        for handler in self.lesson.on_close:
            handler(self)


def news(lesson: Lesson) -> bytes:
    """The full update, with the state of this moment."""
    lesson.credit()
    fields = {"type": "news", "meters": lesson.context.meters.as_json(), "presence": here(lesson)}
    return compact(fields | made(lesson.on_change) | made(lesson.every_second))


def light_news(lesson: Lesson, came: list[JsonObject], left: list[JsonObject]) -> bytes:
    """The light update: number of users, who joined and who left, and the parts that change seldom."""
    fields = {"type": "news", "here": len(here(lesson)), "came": came, "left": left}
    return compact(fields | made(lesson.on_change))


def here(lesson: Lesson) -> list[JsonObject]:
    """The presence of this moment, at all labs. A poller may be at several of them."""
    own = lesson.context.presence.here(asyncio.get_running_loop().time())
    if not (others := lesson.elsewhere.users()):
        return own
    return list({user["client"]: user for user in (*others, *own)}.values())


def made(parts: JsonObject) -> JsonObject:
    """The values of these parts of the lesson."""
    return {key: make() for key, make in parts.items()}


def movements(lesson: Lesson) -> tuple[list[JsonObject], list[JsonObject]]:
    """Users that joined and that left since the last call: `{"client","username"}` each."""
    now = {user["client"]: user["username"] for user in here(lesson)}
    was, lesson.known_users = lesson.known_users, now
    return only(now, was), only(was, now)


def only(these: dict[str, str], others: dict[str, str]) -> list[dict[str, str]]:
    """The users in the first list and not in the second."""
    return [{"client": c, "username": name} for c, name in these.items() if c not in others]


def spread(lesson: Lesson) -> None:
    """Send every page its update."""
    for pulse in lesson.before_tick:
        pulse()
    came, left = movements(lesson)
    for light in {page.light for page in lesson.live_pages}:
        fields = light_news(lesson, came, left) if light else news(lesson)
        for page in [page for page in lesson.live_pages if page.light is light]:
            page.show(fields)
