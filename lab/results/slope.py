"""What one more costs: the slope of a straight line through runs of different sizes.

A lab has work and memory of its own, whatever it serves. One run does not tell that from the share of its
listeners; runs of different sizes do. The line is fitted in each round alone, and the median and the
interval are those over the rounds (`lab.results.rounds`).
"""

from collections.abc import Sequence
from statistics import linear_regression, median
from typing import NamedTuple

from lab.results.rounds import Figure, Spread, interval
from lab.results.runs import Run


class Line(NamedTuple):
    """A straight line through the runs of one round."""

    slope: float
    intercept: float


def connections(run: Run) -> float:
    """The connections of a run, which a slope can be taken along."""
    return float(run.receive["connections"])


def slope(runs: Sequence[Run], along: Figure, figure: Figure) -> Spread | None:
    """By how much a figure grows for each one more of another, over the rounds.

    None where a round has fewer than two sizes, where a figure was not measured, or where it does not grow.
    """
    return _over_rounds([found.slope for found in _lines(runs, along, figure) or ()], positive=True)


def at_zero(runs: Sequence[Run], along: Figure, figure: Figure) -> Spread | None:
    """The same lines' figure at nothing: what a lab without listeners would have. None as above."""
    return _over_rounds([found.intercept for found in _lines(runs, along, figure) or ()])


def _lines(runs: Sequence[Run], along: Figure, figure: Figure) -> list[Line] | None:
    rounds = [[run for run in runs if run.round == number] for number in sorted({run.round for run in runs})]
    lines = []
    for those in rounds:
        points = [(x, y) for run in those if (x := along(run)) is not None and (y := figure(run)) is not None]
        if len(points) < len(those) or len({x for x, _ in points}) < 2:
            return None
        lines.append(Line(*linear_regression(*zip(*points, strict=True))))
    return lines


def _over_rounds(figures: Sequence[float], positive: bool = False) -> Spread | None:
    if not figures or (positive and median(figures) <= 0):
        return None
    low, high = interval(figures) if len(figures) > 1 else (None, None)
    return Spread(median(figures), low, high, len(figures))
