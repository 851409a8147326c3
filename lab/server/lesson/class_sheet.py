"""The class's progress with the exercises, as the students' programs report it.

Reports are claims: any client can send one under any name. They are kept in memory, until the lab ends.
"""

import unicodedata
from collections import Counter
from typing import NamedTuple

from lab.errors import Forbidden, SheetFull
from lab.exercises import EXERCISES
from lab.exercises.loading import known_steps
from lab.json_types import JsonObject

MOST_NAMES = 300
"""Names on the sheet; a class is smaller."""


class Report(NamedTuple):
    """How far a program came: its first failing step, None when it has passed, and the steps before it."""

    exercise: str
    step: str | None
    passed: int
    tries: int
    hints: int


class ClassSheet:
    """The newest report of each name for each exercise; closed until the teacher opens it."""

    def __init__(self) -> None:
        self.open = False
        self.revision = 0
        """Changes with each change of the sheet, so that pages ask for it only then."""
        self._rows: dict[str, dict[str, Report]] = {}

    def set_open(self, is_open: bool) -> None:
        """Accept reports from now on, or refuse them; what is on the sheet stays."""
        self.open = is_open
        self.revision += 1

    def require_open(self) -> None:
        """Raises `Forbidden` while the sheet is closed."""
        if not self.open:
            raise Forbidden("The teacher has not opened the sheet for reports.")

    def add(self, name: str, report: Report) -> None:
        """Replace the report of this name for this exercise. Raises `Forbidden`, `SheetFull`."""
        self.require_open()
        name = same_form(name)
        if name not in self._rows and len(self._rows) >= MOST_NAMES:
            raise SheetFull(f"The sheet is full: it has {MOST_NAMES} names.")
        row = self._rows.setdefault(name, {})
        row.pop(report.exercise, None)  # the newest report is the last
        row[report.exercise] = report
        self.revision += 1

    def reports(self) -> list[tuple[str, Report]]:
        """Every name with each of its reports, names and exercises in their order."""
        rows = sorted(self._rows.items())
        return [(name, row[exercise]) for name, row in rows for exercise in EXERCISES if exercise in row]

    def of(self, name: str) -> JsonObject:
        """The reports of one name, by exercise."""
        row = self._rows.get(same_form(name), {})
        return {exercise: as_json(row[exercise]) for exercise in EXERCISES if exercise in row}

    def state(self) -> JsonObject:
        """What every page may know."""
        return {"open": self.open, "revision": self.revision}

    def as_json(self) -> JsonObject:
        """The whole sheet, for the teacher."""
        names = [{"name": name, "exercises": self.of(name)} for name in sorted(self._rows)]
        return self.state() | {"names": names, "stuck": self.stuck()}

    def stuck(self) -> JsonObject | None:
        """The most frequent failing step among the newest reports of each name; None when there is none."""
        newest = [next(reversed(row.values())) for row in self._rows.values()]
        places = Counter((one.exercise, one.passed, one.step) for one in newest if one.step)
        if not places:
            return None
        order = list(EXERCISES)
        # Of equally frequent ones the earliest: what the class meets first is explained first.
        first = min(places, key=lambda place: (-places[place], order.index(place[0]), place[1]))
        exercise, passed, step = first
        return {"exercise": exercise, "step": step, "number": passed + 1, "count": places[first]}


def as_json(report: Report) -> JsonObject:
    """One report, with the number of steps of its exercise."""
    found = report._asdict() | {"steps": len(known_steps()[report.exercise])}
    del found["exercise"]
    return found


def same_form(name: str) -> str:
    """A name as it is kept: the same for both ways to write an accented letter (UAX 15, form C)."""
    return unicodedata.normalize("NFC", name)
