"""The page of the exercises: what to do, hints one after the other, own progress, and quiz cards."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from lab.exercises import EXERCISES, Exercise
from lab.exercises.texts import Texts
from lab.program import COMMAND
from lab.server.pages.page import Page

CODE = "    "
LEVELS = {"first": 2, "hand": 7, "servers": 12, "engineers": None}
"""The levels, and after how many exercises each ends."""
HINTS = (1, 2, 3)
SHOWN = ("hint", "next_hint", "hints_shown", "done", "stands", "counts", "closed", "open")
"""The texts that the script shows."""
STEPS = tuple(f"exercises.{name}.step." for name in EXERCISES)
QUESTIONS = {"overhead": (0.25, 0.5, 0.75), "requests": (2, 8, 15)}
"""The two questions about a technique, and where the ranges of their answers begin after the first."""


class Task(NamedTuple):
    """One exercise with its number and its texts."""

    number: int
    exercise: Exercise
    texts: Texts

    @property
    def statement(self) -> list[tuple[bool, str]]:
        """The task, and then two exchanges on the wire: pieces of text, each with whether it is code."""
        return [*pieces(self.texts("task")), *pieces(self.texts("exchange"))]


class Level(NamedTuple):
    """Some exercises of about the same difficulty."""

    name: str
    tasks: list[Task]


class Exercises(Page):
    """The exercises and the quiz."""

    text_prefixes = (*(f"class.{name}" for name in SHOWN), "quiz.", *STEPS)

    def get(self) -> None:
        """Send the page. It runs no program; reports come from the students' own computers."""
        self.show(
            "exercises.html",
            levels=list(levels(self.language)),
            hints=HINTS,
            questions=QUESTIONS,
            command=COMMAND,
            report_to=self.report_to,
        )


def levels(language: str) -> Iterator[Level]:
    """The levels that have exercises, with their texts in this language."""
    numbered = [Task(n, one, Texts(language, one.name)) for n, one in enumerate(EXERCISES.values(), 1)]
    start = 0
    for name, end in LEVELS.items():
        if chosen := numbered[start:end]:
            yield Level(name, chosen)
        start = end or 0


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Paragraphs, and blocks of lines that begin with four spaces, which are code, as on a terminal."""
    for is_code, lines in groupby(text.split("\n"), lambda line: line.startswith(CODE) or not line):
        block = "\n".join(line.removeprefix(CODE) for line in lines).strip("\n")
        if block:
            yield is_code, block
