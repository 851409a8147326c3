"""Direct labels: the name of each curve at its end, in its colour, where none touches another."""

from collections.abc import Mapping
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes

from lab.catalogue import TECHNIQUES
from lab.figures import style

APART = 1.15
"""Least distance between two labels, in heights of their text."""


def at_the_end(axes: Axes, ends: Mapping[str, tuple[float, float | None]]) -> None:
    """Name the curves right of a panel, at the height of the points where they end."""
    places = {mode: _height(axes, x, y) for mode, (x, y) in ends.items() if y is not None}
    for mode, place in spaced(places, _gap(axes)).items():
        look: style.Options = {"color": style.colour(mode), "va": "center", "fontsize": "small"}
        axes.annotate(named(mode), (1, place), (4, 0), "axes fraction", "offset points", **look)


def _height(axes: Axes, x: float, y: float) -> float:
    """The height of a point as a share of the panel's."""
    pixels = axes.transData.transform((x, y))
    height = float(axes.transAxes.inverted().transform(pixels)[1])
    return max(0.0, min(1.0, height))


def named(mode: str) -> str:
    """The short name of a technique beside its curve."""
    technique = TECHNIQUES[mode]
    return f"{technique.sign} {style.one(mode, technique.title_zh)}"


def _gap(axes: Axes) -> float:
    """The height of a label as a share of the panel's, which is taken to be two thirds of the sheet's."""
    sheet: Any = axes.figure
    return float(APART * 0.83 * rcParams["font.size"] / 72 / (0.66 * sheet.get_size_inches()[1]))


def spaced(places: Mapping[str, float], gap: float) -> dict[str, float]:
    """Places at least so far apart, in the same order, and as near as can be to the wanted ones."""
    order = sorted(places, key=lambda mode: places[mode])
    groups: list[tuple[list[str], float]] = []
    for mode in order:
        groups.append(([mode], places[mode]))
        while len(groups) > 1 and _touch(groups[-2], groups[-1], gap):
            (below, low), (above, high) = groups[-2:]
            centre = (len(below) * low + len(above) * high) / (len(below) + len(above))
            groups[-2:] = [(below + above, centre)]
    found: dict[str, float] = {}
    for group, centre in groups:
        lowest = max(0.0, centre - gap * (len(group) - 1) / 2)
        found |= {mode: lowest + gap * number for number, mode in enumerate(group)}
    return found


def _touch(below: tuple[list[str], float], above: tuple[list[str], float], gap: float) -> bool:
    reach = gap * (len(below[0]) + len(above[0])) / 2
    return above[1] - below[1] < reach
