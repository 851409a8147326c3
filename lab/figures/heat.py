"""A heat map: a number for each pair of two conditions."""

from collections.abc import Mapping, Sequence
from math import nan

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from lab.figures import style
from lab.figures.caption import captioned
from lab.results.runs import Run

PALE, FULL = "#f3f6fb", "#0B57D0"
DARK = 0.55
"""From this share of the largest number on, its text is white."""


def heat(
    values: Mapping[tuple[float, float], float], runs: Sequence[Run], title: str, rows: str, columns: str
) -> style.Sheet:
    """Numbers by row and column, each written in its cell; a darker cell is a larger number."""
    down, across = sorted({row for row, _ in values}), sorted({column for _, column in values})
    grid = np.array([[values.get((row, column), nan) for column in across] for row in down])
    with style.sheet("page", height=0.2 + 0.1 * len(down)) as (figure, axes):
        shade = LinearSegmentedColormap.from_list("shade", [PALE, FULL])
        axes.pcolormesh(grid, cmap=shade, vmin=0, edgecolors="white", linewidth=3)
        for (row, column), value in values.items():
            light = value > DARK * float(np.nanmax(grid))
            place = across.index(column) + 0.5, down.index(row) + 0.5
            axes.text(*place, number(value), ha="center", va="center", color="white" if light else style.INK)
        axes.set_xticks(np.arange(len(across)) + 0.5, [f"{column:g}" for column in across])
        axes.set_yticks(np.arange(len(down)) + 0.5, [f"{row:g}" for row in down])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(columns)
        axes.set_ylabel(rows)
        style.titled(axes, title, "")
        shown = ", ".join(
            f"{row:g} and {column:g}: {number(value)}" for (row, column), value in values.items()
        )
        captioned(figure, runs, f"{title}, by {rows} and {columns}: {shown}.")
    return figure


def number(value: float) -> str:
    """A number of a cell, in at most three digits."""
    return f"{value:.0f}" if value >= 9.95 or value == int(value) else f"{value:.2g}"
