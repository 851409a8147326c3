"""The trials of the proxy on `/live`, for the teacher: `{"type":"proxy"}` is answered by the whole state.

Each second, and after each change, every page receives the `revision`; when it changes, a page asks again.
A trial also answers the vote about the proxy.
"""

from lab.errors import Forbidden
from lab.room.messages import compact
from lab.server.lesson.bet import OPEN
from lab.server.lesson.lesson import Fields, Lesson, LivePage
from lab.server.lesson.questions import FAILS
from lab.server.lesson.why import about_proxy
from lab.server.live.socket import spread
from lab.techniques.refusals import error_json


class Proxy:
    """Replies to pages that ask for the state of the trials."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson, self.trials = lesson, lesson.proxy_trials
        self.trials.on_change = lambda: spread(lesson)
        self.trials.on_end = self.answer_vote
        lesson.every_second["proxy"] = lambda: self.trials.revision
        lesson.handlers["proxy"] = self.reply

    def answer_vote(self) -> None:
        """End the vote about the proxy, if it is open, with what the trial has shown."""
        bet = self.lesson.by_hand
        if bet.state == OPEN and bet.question is FAILS:
            bet.do("count")
            bet.finish()
            bet.why = about_proxy(self.trials.failed())

    def reply(self, page: LivePage, fields: Fields) -> None:
        """Reply to a teacher with the state."""
        if page.is_teacher:
            page.send(compact({"type": "proxy"} | self.trials.as_json()))
        else:
            error = Forbidden("The proxy is for the teacher only.")
            page.send(compact({"type": "error"} | error_json(error, 403, False)))
