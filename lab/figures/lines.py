"""Lines: how the latency is spread."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures import style
from lab.figures.caption import captioned
from lab.figures.ticks import logarithmic
from lab.results.format import seconds
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run

SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
TRANSITS = (1, 2, 3)


@style.of_runs
def latency(runs: Sequence[Run], size: str = "page") -> Figure:
    """Distributions of the latency: the share of deliveries (0 to 1) up to each value, on a log axis.

    One thin line per round. Runs that were saved without their samples show their percentiles as points.
    With a slow link, thin lines are at one, two and three transits of it.
    """
    with style.sheet(size, height=0.6) as (figure, axes):
        draw_latency(axes, runs)
        text = style.one(
            "Curves: share of deliveries that took at most so long.", "曲线：在此时间内送达的比例。"
        )
        captioned(figure, runs, f"{text} {_medians(runs)}")
    return figure


def _medians(runs: Sequence[Run]) -> str:
    each = {
        mode: median_over_rounds(rounds, lambda run: run.latency_s["p50"])
        for mode, rounds in by_mode(runs).items()
    }
    return (
        style.one("Medians: ", "中位数：")
        + ", ".join(f"{mode} {seconds(value)}" for mode, value in each.items())
        + "."
    )


def draw_latency(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the distributions into existing axes."""
    for number, (mode, rounds) in enumerate(by_mode(runs).items()):
        for run in rounds:
            _distribution(axes, mode, run, label=mode if run is rounds[0] else None, number=number)
    logarithmic(axes)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(style.label("latency, ms: planned send → arrival (measured)", "延迟（毫秒，实测）"))
    axes.set_ylabel(style.label("share of deliveries", "送达比例"))
    axes.grid()
    transits(axes, runs, across=False)
    axes.legend(loc="best")
    style.titled(axes, "Distribution of the latency", "延迟的分布")


def transits(axes: Axes, runs: Sequence[Run], across: bool) -> None:
    """Thin lines at one, two and three transits of the link, where all runs have the same."""
    trips = {run.conditions.get("rtt_s") for run in runs}
    one_way = 1000 * (next(iter(trips)) or 0.0) / 2 if len(trips) == 1 else 0.0
    for number in TRANSITS if one_way else ():
        draw = axes.axhline if across else axes.axvline
        draw(number * one_way, color=style.GREY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        place, unit = ((1.0, number * one_way), ("axes fraction", "data"))
        if not across:
            place, unit = place[::-1], unit[::-1]
        look: style.Options = {"fontsize": "x-small", "color": style.GREY, "ha": "right", "va": "bottom"}
        axes.annotate(f"{number} L", place, (0, 1) if across else (-1, -9), unit, "offset points", **look)


def _distribution(axes: Axes, mode: str, run: Run, label: str | None, number: int) -> None:
    look: style.Options = {"color": style.colour(mode), "marker": style.sign(mode), "label": label}
    if not run.samples:
        times = [1000 * run.latency_s[name] for name in SHARES if run.latency_s[name] is not None]
        axes.plot(times, list(SHARES.values())[: len(times)], linestyle="none", **look)
        return
    times = [1000 * sample for sample in run.samples]
    shares = [(rank + 1) / len(times) for rank in range(len(times))]
    every = (0.05 + 0.025 * number, 0.25) if label else []
    axes.plot(times, shares, linestyle=style.dashes(mode), markevery=every, **look)
