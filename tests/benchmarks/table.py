"""What a benchmark found, as rows of a Markdown table."""

from statistics import median
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One figure: what, its goal, what was found, whether that is enough (None: no goal), raw figures."""

    what: str
    goal: str
    found: str
    met: bool | None
    figures: dict[str, Any]


def ratio(rounds, one, other):
    """The median over rounds of one figure divided by another of the same round."""
    return median(a / b for a, b in zip(rounds[one], rounds[other], strict=True))


def spread(figures):
    """The middle half of the figures, to say how quiet the machine was."""
    ordered = sorted(figures)
    return ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]


def microseconds(figures):
    """A median in microseconds, with its middle half."""
    low, high = (1e6 * figure for figure in spread(figures))
    return f"{1e6 * median(figures):.1f} µs [{low:.1f}-{high:.1f}]"


def milliseconds(seconds):
    """A time in milliseconds."""
    if seconds is None:
        return "–"
    return f"{1000 * seconds:,.0f} ms" if seconds >= 0.1 else f"{1000 * seconds:.3g} ms"


SIGNS = {True: "yes", False: "**no**", None: ""}


def line(row):
    """A row as a line of the table."""
    return f"| {row.what} | {row.found} | {row.goal} | {SIGNS[row.met]} |"


def markdown(rows, machine):
    """The table."""
    return "\n".join([machine, "", "| what | found | goal | met |", "|---|---|---|---|", *map(line, rows)])
