"""The guided lesson as data: its steps, each with simulated clients, and questions to the class.

The texts of a step have the keys `lesson.title.<name>` and `lesson.say.<name>`.
"""

from typing import NamedTuple

from lab.server.lesson.assignment import ROTATION
from lab.server.lesson.questions import NUMBER, TECHNIQUE, Question
from lab.server.lesson.simulated_students import Plan

LINKS = ("anatomy", "proxy")
"""Pages to which a step may lead."""


class Step(NamedTuple):
    """One step of a lesson."""

    name: str
    plan: Plan | None = None
    """The simulated clients, their pace and their network; None: there are none."""
    questions: tuple[Question, ...] = ()
    link: str = ""
    """The page on which the class looks for the answer."""
    assign: str = ""
    """Which technique new users get from then on; empty: as before."""


def _project(name: str) -> Question:
    return Question(name, TECHNIQUE)


STEPS = (
    Step("arrive", assign=ROTATION),
    Step(
        "silence",
        Plan(words=("shortpoll",), each=30, rate=0),
        (Question("silence", NUMBER, "requests", "shortpoll", seconds=60),),
    ),
    Step(
        "slowly",
        Plan(each=4, rate=1, interval=0.5),
        (Question("slowly", NUMBER, "bytes", "longpoll", seconds=30),),
    ),
    Step(
        "fast",
        Plan(each=4, rate=10, interval=0.5),
        (Question("fast", TECHNIQUE, "bytes", seconds=20),),
    ),
    Step(
        "far",
        Plan(words=("longpoll",), each=5, rate=2, rtt_ms=200),
        (Question("far", NUMBER, "slowest", "longpoll", seconds=30),),
    ),
    Step(
        "useful",
        Plan(each=2, rate=1),
        (Question("useful", NUMBER, "useful", "longpoll", seconds=20),),
        link="anatomy",
    ),
    Step("proxy", questions=(Question("proxy", TECHNIQUE),), link="proxy"),
    Step("projects", questions=tuple(map(_project, ("score", "drawing", "chatbot", "build")))),
    Step(
        "ticket",
        questions=(
            Question("ticket_polls", NUMBER, answer=300, most=10_000),
            Question("ticket_batch", NUMBER, answer=10, most=1_000),
            Question("ticket_far", NUMBER, answer=450, most=10_000),
        ),
    ),
)
"""The eight steps of 45 minutes, and the exit ticket."""
