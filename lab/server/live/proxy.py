"""The trials of the proxy on `/live`, for the teacher: `{"type":"proxy"}` is answered by the whole state.

Each second, and after each change, every page receives the `revision`; when it changes, a page asks again.
"""

from lab.errors import Forbidden
from lab.room.messages import compact
from lab.server.lesson.lesson import Fields, Lesson, LivePage
from lab.server.live.socket import spread
from lab.techniques.refusals import error_json


class Proxy:
    """Replies to pages that ask for the state of the trials."""

    def __init__(self, lesson: Lesson) -> None:
        self.trials = lesson.proxy_trials
        self.trials.on_change = lambda: spread(lesson)
        lesson.every_second["proxy"] = lambda: self.trials.revision
        lesson.handlers["proxy"] = self.reply

    def reply(self, page: LivePage, fields: Fields) -> None:
        """Reply to a teacher with the state."""
        if page.is_teacher:
            page.send(compact({"type": "proxy"} | self.trials.as_json()))
        else:
            error = Forbidden("The proxy is for the teacher only.")
            page.send(compact({"type": "error"} | error_json(error, 403, False)))
