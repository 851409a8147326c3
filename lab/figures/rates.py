"""What a message costs, and how late it is, against the rate of messages: the figure to begin with."""

from collections.abc import Callable, Sequence
from math import exp, log, nan

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.experiment.prediction import Exchange, ideal
from lab.experiment.weights import along, bytes_per_message, exchange_of, measured_per_message, message_itself
from lab.figures import style
from lab.figures.caption import captioned
from lab.figures.intervals import upright
from lab.figures.labels import at_the_end
from lab.figures.ticks import logarithmic, logarithmic_y
from lab.results.format import count
from lab.results.rounds import Figure as Reading
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run

SLOWEST, FASTEST = 0.05, 10.0
"""Messages per second that the curves reach to at least."""
STEPS = 60
Theory = Callable[[str, Run, float, Exchange], float | None]


@style.of_runs
def overhead_over_rate(runs: Sequence[Run], size: str = "page") -> Figure:
    """Bytes for one delivered message, and its mean delay, against messages per second; all axes logarithmic.

    Lines are theory, from the bytes and the time of one exchange; dots are measured, with their intervals
    over rounds. The dashed line is the message itself. Setting up a connection is left out on both sides, so
    that a short run is as good as a long one.
    """
    grid: style.Options = {"ncols": 2, "width_ratios": (1.3, 1)}
    with style.sheet(size, height=0.56, **grid) as (figure, (left, right)):
        weights = {mode: exchange_of(those) for mode, those in by_mode(runs).items()}
        _panel(left, runs, weights, _bytes, measured_per_message)
        floor = _floor(left, runs)
        style.titled(left, "Bytes per delivered message", "每条送达消息的字节数", key(), stacked=True)
        _panel(right, runs, weights, _delay, lambda _: lambda run: _milli(run.latency_s["mean"]))
        style.titled(right, "Mean delay, ms", "平均延迟（毫秒）", key(), stacked=True)
        captioned(figure, runs, _shows(runs, weights, floor))
    return figure


def key() -> str:
    """What lines and dots are."""
    return style.one("lines: theory · dots: measured", "线：理论 · 圆点：实测")


def _bytes(mode: str, run: Run, rate: float, weights: Exchange) -> float | None:
    return bytes_per_message(mode, along(run, rate=rate), weights)


def _delay(mode: str, run: Run, rate: float, weights: Exchange) -> float | None:
    return _milli(ideal(mode, along(run, rate=rate), weights).latency_mean_s)


def _milli(value: float | None) -> float | None:
    return None if value is None else 1000 * value


def rates(runs: Sequence[Run]) -> list[float]:
    """The rates along which a curve is drawn, evenly spaced on a logarithmic axis."""
    measured = [run.conditions["rate"] for run in runs]
    low, high = log(min(SLOWEST, *measured)), log(max(FASTEST, *measured))
    return [exp(low + (high - low) * step / STEPS) for step in range(STEPS + 1)]


def _panel(
    axes: Axes,
    runs: Sequence[Run],
    weights: dict[str, Exchange],
    theory: Theory,
    measured: Callable[[Exchange], Reading],
) -> None:
    steps, ends = rates(runs), {}
    for mode, those in by_mode(runs).items():
        expected = [theory(mode, those[0], rate, weights[mode]) for rate in steps]
        look: style.Options = {"color": style.colour(mode), "linestyle": style.dashes(mode), "label": mode}
        axes.plot(steps, [nan if value is None else value for value in expected], **look)
        ends[mode] = (steps[-1], expected[-1])
        for rate, rounds in by_rate(those).items():
            point(axes, mode, rate, rounds, measured(weights[mode]))
    logarithmic_y(axes)
    logarithmic(axes)
    axes.set_xlim(steps[0], steps[-1])
    axes.set_xlabel(style.label("messages per second", "每秒消息数"))
    axes.grid(axis="y")
    at_the_end(axes, ends)


def by_rate(runs: Sequence[Run]) -> dict[float, list[Run]]:
    """The runs at each rate."""
    found: dict[float, list[Run]] = {}
    for run in runs:
        found.setdefault(run.conditions["rate"], []).append(run)
    return found


def point(axes: Axes, mode: str, place: float, rounds: Sequence[Run], reading: Reading) -> None:
    """The median over the rounds as a dot, and its interval as a bar."""
    value = median_over_rounds(rounds, reading)
    if value is not None:
        look: style.Options = {"color": style.colour(mode), "clip_on": False, "zorder": 3}
        axes.plot([place], [value], marker="o", linestyle="none", markeredgecolor="white", **look)
        upright(axes, place, rounds, reading)


def _floor(axes: Axes, runs: Sequence[Run]) -> float | None:
    """The dashed line below which no technique comes; returns its bytes."""
    own = message_itself(runs)
    if own is None:
        return None
    axes.axhline(own, color=style.INK, linestyle=(0, (3, 3)), linewidth=1)
    axes.set_ylim(bottom=0.62 * own)
    text = f"{style.both('the message itself', '消息本身')}: {count(own)} B"
    axes.annotate(
        text, (0.02, own), (0, -3), ("axes fraction", "data"), "offset points", va="top", fontsize="small"
    )
    return own


def _shows(runs: Sequence[Run], weights: dict[str, Exchange], floor: float | None) -> str:
    """The figure in sentences: each technique's bytes at the slowest and the fastest rate of the curves."""
    steps = rates(runs)
    parts = []
    for mode, those in by_mode(runs).items():
        ends = [count(_bytes(mode, those[0], rate, weights[mode])) for rate in (steps[0], steps[-1])]
        parts.append(f"{mode} {ends[0]} to {ends[1]}")
    english = (
        f"Two panels against messages per second, from {steps[0]:g} to {steps[-1]:g}: "
        f"bytes per delivered message ({', '.join(parts)}, the message {count(floor)}), and mean delay."
    )
    chinese = f"每条送达消息的字节数与平均延迟，消息频率从每秒 {steps[0]:g} 条到 {steps[-1]:g} 条。"
    return style.one(english, chinese)
