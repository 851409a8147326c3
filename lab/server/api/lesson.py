"""The guided lesson for the teacher: move it, and export the answers of the class."""

from collections.abc import Iterator

from lab.json_types import JsonObject
from lab.server.api.csv_table import CsvTable, no_formula
from lab.server.api.teacher import Action
from lab.server.lesson.bet import MEASURED
from lab.server.lesson.guided import ACTIONS
from lab.server.lesson.parameters import one_of
from lab.server.live.guide import Guide


class LessonAction(Action):
    """Move the guided lesson: `{"do": "next" | "back" | "skip" | "again" | "end"}`."""

    ends_demonstration = True

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Move, set up what the step needs, and return the place and the question. Raises `BadParameter`."""
        guide: Guide = self.settings["guide"]
        await guide.lead(one_of(wanted, "do", ACTIONS))
        return guide.as_json() | {"bet": self.lesson.bet.for_pages()}


class AnswersAsCsv(CsvTable):
    """The answers of the guided lesson: one line per question and user; an empty truth was not measured."""

    filename = "pushlab-answers.csv"
    columns = ("step", "question", "name", "guess", "truth")

    def rows(self) -> Iterator[JsonObject]:
        """Every answer, in the order of the lesson."""
        for step, question, bet in self.lesson.guided.results():
            about = {
                "step": step.name,
                "question": question.name,
                "truth": bet.truth() if bet.state == MEASURED else None,
            }
            for name, guess in bet.answers.values():
                yield about | {"name": no_formula(name), "guess": guess}
