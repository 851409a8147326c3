"""Reports about exercises: a student's program sends them, the teacher opens the sheet and exports it."""

import asyncio
from collections.abc import Iterator

from lab.errors import BadJson, BadParameter
from lab.exercises.loading import known_steps
from lab.json_types import JsonObject
from lab.room.messages import compact
from lab.server.api.csv_table import CsvTable, no_formula
from lab.server.api.teacher import Action
from lab.server.lesson.class_sheet import Report
from lab.server.lesson.lesson import Lesson
from lab.server.lesson.names import LONGEST_NAME, NAME
from lab.server.lesson.parameters import one_of
from lab.server.live.socket import spread
from lab.techniques.endpoint import Endpoint
from lab.techniques.refusals import parse_json, require_json

MOST_TRIES, MOST_HINTS = 99_999, 99
FIELDS = ("name", "exercise", "step", "passed", "tries", "hints")


class ExerciseReport(Endpoint):
    """Where a student's program reports how far it came."""

    SUPPORTED_METHODS = ("POST",)

    async def post(self) -> None:
        """Put the report on the sheet. Raises `Forbidden`, `BadParameter`, `TooManySends`."""
        require_json(self.request.headers)
        lesson: Lesson = self.settings["lesson"]
        wanted = parse_json(await self.whole_body())
        if not isinstance(wanted, dict):
            raise BadJson("A report must be a JSON object.")
        lesson.class_sheet.require_open()
        lesson.report_rate.take(self.request.remote_ip or "", self.now())
        await asyncio.to_thread(known_steps)  # the first time it reads files
        name = read_name(wanted, self.context.settings.limit("username_chars"))
        lesson.class_sheet.add(name, read_report(wanted))
        self.finish(compact({"name": name, "exercises": lesson.class_sheet.of(name)}))


def read_name(wanted: JsonObject, most: float) -> str:
    """The name in a report. Raises `BadParameter`."""
    name, most = wanted.get("name"), min(most, LONGEST_NAME)
    if not isinstance(name, str) or not NAME.fullmatch(name) or len(name) > most:
        raise BadParameter(f"name must be 1 to {most:.0f} visible characters, without spaces around it.")
    return name


def read_report(wanted: JsonObject) -> Report:
    """The other fields of a report. Raises `BadParameter`, which names the field that is wrong."""
    if unknown := sorted(wanted.keys() - set(FIELDS)):
        raise BadParameter(
            f"{unknown[0]!a:.40} is not a field of a report; the fields are {', '.join(FIELDS)}."
        )
    exercise = one_of(wanted, "exercise", known_steps())
    steps = known_steps()[exercise]
    passed = count(wanted, "passed", len(steps))
    if "step" not in wanted or wanted["step"] != (*steps, None)[passed]:
        raise BadParameter(
            "step must be the name of the step after the passed ones, or null when all passed."
        )
    tries, hints = count(wanted, "tries", MOST_TRIES), count(wanted, "hints", MOST_HINTS)
    return Report(exercise, wanted["step"], passed, tries, hints)


def count(wanted: JsonObject, name: str, most: int) -> int:
    """A whole number from 0 up. Raises `BadParameter`."""
    value = wanted.get(name)
    if isinstance(value, float) and value.is_integer():  # 4.0 is a whole number in JSON (RFC 8259 section 6)
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BadParameter(f"{name} must be a whole number from 0 to {most}.")
    return value


class OpenSheet(Action):
    """Whether reports are accepted: `{"open": true}` or `{"open": false}`."""

    async def do(self, wanted: JsonObject) -> JsonObject:
        """Open or close the sheet; what is on it stays."""
        if not isinstance(wanted.get("open"), bool):
            raise BadParameter("open must be true or false.")
        self.lesson.class_sheet.set_open(wanted["open"])
        spread(self.lesson)
        return self.lesson.class_sheet.state()


class SheetAsCsv(CsvTable):
    """The sheet as a table: one line per name and exercise."""

    filename = "pushlab-exercises.csv"
    columns = ("name", "exercise", "done", "step", "passed", "steps", "tries", "hints")

    def rows(self) -> Iterator[JsonObject]:
        """The newest report of each name about each exercise."""
        for name, report in self.lesson.class_sheet.reports():
            steps = len(known_steps()[report.exercise])
            done = {"done": int(report.step is None), "steps": steps}
            yield report._asdict() | {"name": no_formula(name)} | done
