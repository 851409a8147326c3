"""Questions to a class: which technique, or how many."""

from dataclasses import dataclass
from math import log

from lab.catalogue import MODES
from lab.json_types import JsonObject
from lab.server.lesson.counted import COUNT, FIGURES, Figure

TECHNIQUE, NUMBER = "technique", "number"
KINDS = (TECHNIQUE, NUMBER)
BINS = 24
"""Columns of the histogram of guesses."""
CLOSE = 1.1
"""A guess within this factor of the right number is right."""
Guess = str | float


@dataclass(frozen=True)
class Question:
    """One question, whose text has the key `lesson.ask.<name>`."""

    name: str
    kind: str = TECHNIQUE
    figure: str | None = None
    """The figure that answers it; None: nothing is measured."""
    mode: str | None = None
    """The technique whose figure is asked for, when a number is guessed."""
    seconds: float | None = None
    """How long is counted; None: until the teacher closes the question."""
    answer: float | None = None
    """The right number, when it follows from the question alone."""
    least: float | None = None
    most: float | None = None

    @property
    def measure(self) -> Figure:
        """The figure that answers it, with its unit."""
        return FIGURES[self.figure] if self.figure else COUNT

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest number that can be guessed."""
        return self.least or self.measure.least, self.most or self.measure.most

    def accepts(self, guess: object) -> bool:
        """Whether this is a possible guess: one of the techniques, or a number within the bounds."""
        if self.kind == TECHNIQUE:
            return isinstance(guess, str) and guess in MODES
        least, most = self.bounds
        return isinstance(guess, int | float) and not isinstance(guess, bool) and least <= guess <= most

    def histogram(self, guesses: list[float]) -> list[int]:
        """How many guesses are in each of the columns, which are equally wide on a logarithmic axis."""
        least, most = self.bounds
        columns = [0] * BINS
        for guess in guesses:
            columns[min(BINS - 1, int(BINS * log(guess / least) / log(most / least)))] += 1
        return columns

    def is_right(self, guess: float, truth: float) -> bool:
        """Whether a number is close enough to the right one."""
        return truth / CLOSE <= guess <= truth * CLOSE

    def as_json(self) -> JsonObject:
        """The question for the pages."""
        least, most = self.bounds
        fields: JsonObject = {"name": self.name, "kind": self.kind, "mode": self.mode}
        fields |= {"unit": self.measure.unit, "least": least, "most": most}
        return fields | {"seconds": self.seconds, "measured": bool(self.figure)}


MOST_BYTES = Question("most_bytes", TECHNIQUE, "bytes")
"""The question of a vote that the teacher opens by hand."""

FAILS = Question("fails", TECHNIQUE)
"""The same before a trial of the proxy, which answers it."""

BY_HAND = {"bytes": MOST_BYTES, "proxy": FAILS}
"""The questions that can be asked without a guided lesson, by what they are about."""
