"""Lines: requests over time, and how the latency is spread."""

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures import style
from lab.figures.bars import draw_answers
from lab.figures.ticks import logarithmic
from lab.results.rounds import by_mode
from lab.results.runs import Run

SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}


@style.of_runs
def requests(runs: Sequence[Run], size: str = "page") -> Figure:
    """Requests per second over time (first round), and all requests; both with the empty responses."""
    with style.sheet(size, height=0.5, ncols=2) as (figure, (left, right)):
        draw_over_time(left, runs)
        draw_answers(right, runs)
    return figure


def draw_over_time(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw requests per second over time, of each technique's first round; hatched: empty responses.

    Runs that were recorded without their empty responses over time have no hatching.
    """
    for mode, rounds in by_mode(runs).items():
        moments, rates = _rates(rounds[0], "requests")
        look: style.Options = {
            "color": style.colour(mode),
            "linestyle": style.dashes(mode),
            "marker": style.sign(mode),
        }
        axes.plot(moments, rates, label=mode, markevery=_apart(len(moments)), clip_on=False, **look)
        _in_vain(axes, mode, rounds[0])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(style.label("seconds; hatched: empty", "秒；斜线：空答复"))
    axes.set_ylabel(style.label("requests per second", "每秒请求数"))
    axes.grid(axis="y")
    style.titled(axes, "Requests over time", "请求随时间")


def _in_vain(axes: Axes, mode: str, run: Run) -> None:
    """The requests with empty responses, as an area below the line of all requests."""
    if run.receive["empty"] and all("empty" in point for point in run.series):
        hollow: style.Options = {"facecolor": "none", "edgecolor": style.tint(mode, 0.5), "hatch": "////"}
        axes.fill_between(*_rates(run, "empty"), linewidth=0, label=f"{mode}, empty", **hollow)


def _rates(run: Run, name: str) -> tuple[list[float], list[float]]:
    """Between each two readings of the meters: the time in the middle, and the rate per second."""
    steps = [(one, other) for one, other in pairwise(run.series) if other["t_s"] > one["t_s"]]
    moments = [(one["t_s"] + other["t_s"]) / 2 for one, other in steps]
    rates = [(other[name] - one[name]) / (other["t_s"] - one["t_s"]) for one, other in steps]
    return moments, rates


def _apart(points: int) -> int:
    return max(1, points // 6)


@style.of_runs
def latency(runs: Sequence[Run], size: str = "page") -> Figure:
    """Distributions of the latency: the share of deliveries (0 to 1) up to each value, on a log axis.

    One thin line per round. Runs that were saved without their samples show their percentiles as points.
    """
    with style.sheet(size, height=0.55) as (figure, axes):
        draw_latency(axes, runs)
    return figure


def draw_latency(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the distributions into existing axes."""
    for number, (mode, rounds) in enumerate(by_mode(runs).items()):
        for run in rounds:
            _distribution(axes, mode, run, label=mode if run is rounds[0] else None, number=number)
    logarithmic(axes)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(style.label("latency, ms: planned send → arrival (measured)", "时延（毫秒，实测）"))
    axes.set_ylabel(style.label("share of deliveries", "送达比例"))
    axes.grid()
    axes.legend(loc="best")
    style.titled(axes, "Distribution of the latency", "谁先听到")


def _distribution(axes: Axes, mode: str, run: Run, label: str | None, number: int) -> None:
    look: style.Options = {"color": style.colour(mode), "marker": style.sign(mode), "label": label}
    if not run.samples:
        times = [1000 * run.latency_s[name] for name in SHARES if run.latency_s[name] is not None]
        axes.plot(times, list(SHARES.values())[: len(times)], linestyle="none", **look)
        return
    times = [1000 * sample for sample in run.samples]
    shares = [(rank + 1) / len(times) for rank in range(len(times))]
    every = (0.05 + 0.025 * number, 0.25)
    axes.plot(times, shares, linestyle=style.dashes(mode), markevery=every, **look)
