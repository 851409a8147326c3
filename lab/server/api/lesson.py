"""The guided lesson for the teacher: move it, and export the answers of the class."""

import csv
import io
from collections.abc import Iterator

from lab.json_types import JsonObject
from lab.server.api.exercises import BOM, no_formula
from lab.server.api.teacher import Action, ForTeacher
from lab.server.lesson.bet import MEASURED
from lab.server.lesson.guided import ACTIONS, Guided
from lab.server.lesson.parameters import one_of
from lab.server.live.guide import Guide

COLUMNS = ("step", "question", "name", "guess", "truth")


class LessonAction(Action):
    """Move the guided lesson: `{"do": "next" | "back" | "skip" | "again" | "end"}`."""

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Move, set up what the step needs, and return the place and the question. Raises `BadParameter`."""
        guide: Guide = self.settings["guide"]
        await guide.lead(one_of(wanted, "do", ACTIONS))
        return guide.as_json() | {"bet": self.lesson.bet.for_pages()}


class AnswersAsCsv(ForTeacher):
    """The answers of the guided lesson: one line per question and user."""

    content_type = "text/csv; charset=utf-8"

    def get(self) -> None:
        """Send the file."""
        self.set_header("Content-Disposition", 'attachment; filename="pushlab-answers.csv"')
        self.finish(as_csv(self.lesson.guided))


def as_csv(guided: Guided) -> bytes:
    """The answers as CSV (RFC 4180); an empty truth was not measured."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    table.writerows(_rows(guided))
    return (BOM + text.getvalue()).encode()


def _rows(guided: Guided) -> Iterator[JsonObject]:
    for step, question, bet in guided.results():
        about = {
            "step": step.name,
            "question": question.name,
            "truth": bet.truth() if bet.state == MEASURED else None,
        }
        for name, guess in bet.answers.values():
            yield about | {"name": no_formula(name), "guess": guess}
