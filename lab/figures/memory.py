"""Memory: that of the server against the number of connections, with a line through the runs."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures import style
from lab.figures.caption import captioned
from lab.figures.intervals import upright
from lab.figures.labels import at_the_end
from lab.results.format import NOTHING
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run
from lab.results.slope import at_zero, connections, slope

MIB, KIB = 2.0**-20, 2.0**-10


@style.of_runs
def memory(runs: Sequence[Run], size: str = "page") -> Figure:
    """The server's memory against connections: dots are measured, lines their slope, in KiB a connection.

    The axis begins at nothing, so that what a lab needs without any listener can be seen.
    """
    with style.sheet(size, height=0.52) as (figure, axes):
        ends = {mode: _draw(axes, mode, rounds) for mode, rounds in by_mode(runs).items()}
        axes.set_xlim(0, 1.02 * max((x for x, _ in ends.values()), default=1) or 1)
        axes.set_ylim(0, 1.1 * max((y or 0 for _, y in ends.values()), default=1) or 1)
        axes.set_xlabel(style.label("connections", "连接数"))
        axes.grid(axis="y")
        at_the_end(axes, ends)
        below = style.one(
            "dots: measured · lines: slope of each round, median", "圆点：实测 · 线：各轮斜率的中位数"
        )
        style.titled(axes, "Server memory, MiB", "服务器内存（MiB）", below)
        captioned(figure, runs, _shows(runs))
    return figure


def resident(run: Run) -> float | None:
    """The server's memory at the end of a run, in bytes."""
    return run.server_rss_bytes


def _draw(axes: Axes, mode: str, rounds: Sequence[Run]) -> tuple[float, float | None]:
    """One technique's dots and line; returns where they end."""
    sizes: dict[float, list[Run]] = {}
    for run in sorted(rounds, key=connections):
        sizes.setdefault(connections(run), []).append(run)
    known = {
        at: value for at, those in sizes.items() if (value := median_over_rounds(those, resident)) is not None
    }
    look: style.Options = {
        "color": style.colour(mode),
        "markeredgecolor": "white",
        "clip_on": False,
        "zorder": 3,
    }
    axes.plot(
        list(known),
        [MIB * value for value in known.values()],
        marker="o",
        linestyle="none",
        label=mode,
        **look,
    )
    for at in known:
        upright(axes, at, sizes[at], resident, MIB)
    most, each, none = (
        max(sizes),
        slope(rounds, connections, resident),
        at_zero(rounds, connections, resident),
    )
    if each is None or none is None:
        return most, MIB * known[most] if most in known else None
    line = [MIB * none.median, MIB * (none.median + most * each.median)]
    axes.plot([0, most], line, color=style.colour(mode), linestyle=style.dashes(mode))
    return most, line[-1]


def _shows(runs: Sequence[Run]) -> str:
    """The slope of each technique."""
    parts = []
    for mode, rounds in by_mode(runs).items():
        each = slope(rounds, connections, resident)
        parts.append(f"{mode} {NOTHING if each is None else f'{KIB * each.median:.1f}'}")
    text = style.one(
        "Memory against connections, KiB for each further one", "内存与连接数，每多一条连接（KiB）"
    )
    return f"{text}: {', '.join(parts)}."
