"""The page of the teacher's console."""

from dataclasses import asdict

from lab.errors import Forbidden
from lab.exercises import EXERCISES
from lab.json_types import JsonObject
from lab.program import COMMAND
from lab.server.lesson.simulated_students import MOST_EACH, MOST_PAYLOAD, MOST_RATE, MOST_RTT_MS
from lab.server.pages.exercises import STEPS
from lab.server.pages.page import QUESTIONS, Page

LIMITS = {"each": MOST_EACH, "rate": MOST_RATE, "payload": MOST_PAYLOAD, "rtt_ms": MOST_RTT_MS}

PLACES = {"/": "./", "compare": "compare"}
"""Pages to which a teacher's link may lead instead of the console."""


class Teacher(Page):
    """The teacher's console, which needs the teacher's cookie."""

    text_prefixes = (
        "teacher.",
        "demo.",
        *QUESTIONS,
        "lesson.lead.",
        "lesson.say.",
        "problem.",
        "class.sheet.",
        *STEPS,
    )

    def get(self) -> None:
        """Exchange the link's token for a cookie, once; show the console to a browser with the cookie."""
        token = self.get_query_argument("token", "")
        if token and (cookie := self.lesson.key.exchange(token, self.request.remote_ip or "")):
            secure = self.request.protocol == "https"
            policy: JsonObject = {"samesite": "Strict", "httponly": True, "secure": secure}
            self.set_cookie(self.lesson.cookie, cookie, path=self.base, **policy)
            # Relative: some proxies put their path before a Location that begins with a slash.
            return self.redirect(PLACES.get(self.get_query_argument("to", ""), "teacher"))
        self.head()

    def head(self) -> None:
        """Respond without an exchange: a program that previews a link must not use its token."""
        if not self.is_teacher:
            raise Forbidden("The console opens with the teacher's link from the terminal, once.")
        lesson = self.lesson
        self.show(
            "teacher.html",
            plan=asdict(lesson.simulated.plan),
            limits=LIMITS,
            assigned=lesson.assignment.way,
            exercises=list(EXERCISES),
            command=COMMAND,
            report_to=self.report_to,
        )
