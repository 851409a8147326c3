"""Intervals over rounds, as thin bars: 95 %, of the median."""

from collections.abc import Sequence

from matplotlib import rcParams
from matplotlib.axes import Axes

from lab.figures import style
from lab.results.rounds import Figure as Reading
from lab.results.rounds import spread
from lab.results.runs import Run

THIN = 0.55
"""Width of such a bar, as a share of a line's."""


def across(axes: Axes, at: float, rounds: Sequence[Run], reading: Reading, scale: float = 1.0) -> float:
    """Draw a horizontal interval in a row; returns where it ends, or 0 where there is none."""
    found = spread(rounds, reading)
    if found is None or found.low is None or found.high is None:
        return 0.0
    _bar(axes, [scale * found.low, scale * found.high], [at, at], "|", style.INK)
    return scale * found.high


def upright(axes: Axes, place: float, rounds: Sequence[Run], reading: Reading, scale: float = 1.0) -> None:
    """Draw a vertical interval in the technique's colour."""
    found = spread(rounds, reading)
    if found is not None and found.low is not None and found.high is not None:
        colour = style.colour(rounds[0].mode)
        _bar(axes, [place, place], [scale * found.low, scale * found.high], "_", colour)


def _bar(axes: Axes, across: list[float], along: list[float], cap: str, colour: str) -> None:
    width = THIN * rcParams["lines.linewidth"]
    look: style.Options = {"color": colour, "linewidth": width, "marker": cap, "markeredgewidth": width}
    axes.plot(across, along, markersize=0.5 * rcParams["lines.markersize"], zorder=3, clip_on=False, **look)
