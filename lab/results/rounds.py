"""Results over several rounds: the median over the rounds, and its confidence interval.

Only the rounds are repetitions; the samples inside one round depend on each other (the same machine in the
same minute). So the interval is over rounds, never over pooled samples.
"""

import random
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from lab.results.runs import Run

Figure = Callable[[Run], float | None]
RESAMPLES = 2000
SHARE = 0.95


class Spread(NamedTuple):
    """A median over rounds with its interval; low and high are None when there was only one round."""

    median: float
    low: float | None
    high: float | None
    rounds: int


def by_mode(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs of each technique, in the order in which they first came.

    Runs that are there for comparison are left out, unless a technique has no others.
    """
    modes: dict[str, list[Run]] = {}
    for run in runs:
        modes.setdefault(run.mode, []).append(run)
    return {mode: [run for run in those if run.asked] or those for mode, those in modes.items()}


def known(runs: Sequence[Run], figure: Figure) -> list[float] | None:
    """A figure in each round; None when a round has not measured it."""
    figures = [figure(run) for run in runs]
    found = [value for value in figures if value is not None]
    return found if found and len(found) == len(figures) else None


def median_over_rounds(runs: Sequence[Run], figure: Figure) -> float | None:
    """The median over the rounds; None when a round has not measured it."""
    figures = known(runs, figure)
    return median(figures) if figures else None


def spread(runs: Sequence[Run], figure: Figure) -> Spread | None:
    """The median of a figure over the rounds of one technique, with a 95 % bootstrap interval.

    None when a round has not measured it. The interval is that of the percentile bootstrap over
    rounds; with few rounds it is too narrow, so measure five or more before you trust it.
    """
    figures = known(runs, figure)
    if figures is None:
        return None
    low, high = interval(figures) if len(figures) > 1 else (None, None)
    return Spread(median(figures), low, high, len(figures))


def interval(figures: Sequence[float], share: float = SHARE, seed: int = 1) -> tuple[float, float]:
    """The bootstrap interval of a median: resample the rounds, with repetition, many times."""
    draw = random.Random(seed)
    medians = sorted(median(draw.choices(figures, k=len(figures))) for _ in range(RESAMPLES))
    tail = round((1 - share) / 2 * RESAMPLES)
    return medians[tail], medians[-1 - tail]
