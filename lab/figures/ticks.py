"""Logarithmic axes that read well: plain numbers, at least two of them, and none over another.

Matplotlib labels powers of ten. Latencies of one run often lie within a decade, where there is one power
or none. So the numbers are chosen when the axis is drawn, from the visible range and the available space.
"""

from collections.abc import Iterator, Sequence
from math import ceil, floor, inf, log10
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator

MOST = 7
"""Numbers on one axis."""
DIGIT, AIR = 0.62, 0.9
"""Width of a digit, and the least distance between two numbers, as shares of the text's size."""
DIGITS = ((1, 2, 5), (1, 3), (1,))
MANY_DECADES = 2000
LEAST_SPAN = 1.02
"""Where all values are equal, or nearly so, a decade around them is shown: less would show their noise."""


def logarithmic(axes: Axes, linear_to: float | None = None, at: Sequence[float] = ()) -> None:
    """Make the x axis logarithmic, from `linear_to` on if that is given, and linear from 0 up to there.

    With `at` its numbers are those that were measured, as far as there is room for them.
    """
    axes.set_autoscalex_on(False)  # not yet: matplotlib would warn if all values are 0
    if linear_to is None:
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=linear_to)
    axes.xaxis.set_major_locator(Readable(linear_to or 0.0, at, rcParams["xtick.labelsize"]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.autoscale(axis="x")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def logarithmic_y(axes: Axes) -> None:
    """Make the y axis logarithmic, with plain numbers: 1, 2, 5 of each decade, of many decades every 1."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    digits = DIGITS[0] if high < MANY_DECADES * low else DIGITS[-1]
    axes.yaxis.set_major_locator(LogLocator(subs=digits))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def plain(value: float) -> str:
    """A number without powers of ten, and without more digits than it has."""
    digits = max(0, 3 - floor(log10(abs(value)))) if value else 0
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Readable(LogLocator):
    """The numbers of a logarithmic axis: as many as there is room for, and at least two."""

    def __init__(self, linear_to: float, at: Sequence[float], size: float) -> None:
        super().__init__()
        self._size = size
        """Size of the numbers, in points."""
        self._linear_to = linear_to
        self._at = at

    def __call__(self) -> Sequence[float]:
        """The numbers for the visible range."""
        low, high = sorted(self._axis.get_view_interval())
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """The row with most numbers of which none touches another; else two of them."""
        if self._at:
            return self._thinned([value for value in self._at if vmin <= value <= vmax])
        rows = [row for row in self._rows(vmin, vmax) if len(row) > 1]
        fitting = [row for row in rows if len(row) <= MOST and self._fits(row)]
        return max(fitting, key=len, default=[rows[-1][0], rows[-1][-1]] if rows else [vmin, vmax])

    def nonsingular(self, v0: float, v1: float) -> tuple[float, float]:
        """The range of the axis for values from `v0` to `v1`: a decade, if they are all the same."""
        if self._linear_to:
            return Locator.nonsingular(self, v0, v1)
        if not 0 < v1 < inf:  # nothing, or nothing above 0
            return 1.0, 10.0
        if 0 < v0 <= v1 < v0 * LEAST_SPAN:
            v0 = v1 = (v0 + v1) / 2
        return super().nonsingular(v0, v1)

    @property
    def _axis(self) -> Any:
        return self.axis

    def _rows(self, low: float, high: float) -> Iterator[list[float]]:
        """Rows of round numbers in view, close ones first; evenly spaced where there is no decade in it."""
        start = max(low, self._linear_to)
        if high <= 10 * start or high <= self._linear_to:
            for most in range(MOST, 1, -1):
                found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
                yield [float(f"{value:.12g}") for value in found if low <= value <= high]
            if high <= self._linear_to:
                return
        zero = [0.0] if low <= 0 else []
        first, last = floor(log10(start)), ceil(log10(high))
        for digits in DIGITS:
            yield zero + [v for v in _powers(digits, first, last, 1) if start <= v <= high]
        for step in range(2, last - first + 1):
            yield zero + [v for v in _powers((1,), first, last, step) if start <= v <= high]

    def _thinned(self, values: Sequence[float]) -> list[float]:
        """Both ends, and what fits in between."""
        kept = list(values[:1])
        for value in values[1:]:
            if self._fits([kept[-1], value]) and (value == values[-1] or self._fits([value, values[-1]])):
                kept.append(value)
        return kept

    def _fits(self, row: Sequence[float]) -> bool:
        """Whether no number of the row touches the next one."""
        em = self._size * self._axis.axes.figure.dpi / 72
        places = self._axis.axes.transData.transform([(value, 0.0) for value in row])[:, 0]
        halves = [DIGIT * em * len(plain(value)) / 2 for value in row]
        return all(
            place + half + AIR * em <= after - other
            for place, half, after, other in zip(places, halves, places[1:], halves[1:], strict=False)
        )


def _powers(digits: Sequence[int], first: int, last: int, step: int) -> list[float]:
    """These digits in every decade, or in every so many."""
    return [float(f"{digit}e{power}") for power in range(first, last + 1, step) for digit in digits]
