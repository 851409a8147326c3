"""Curves: theory with the measured points on it."""

from collections.abc import Callable, Sequence
from math import nan
from statistics import mean
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.experiment.prediction import Exchange, ideal
from lab.experiment.weights import along, edge_requests, exchange_of
from lab.figures import style
from lab.figures.caption import captioned
from lab.figures.intervals import upright
from lab.figures.labels import at_the_end
from lab.figures.lines import transits
from lab.figures.ticks import logarithmic, logarithmic_y
from lab.results.format import NEXT_TO_NOTHING_S, percent
from lab.results.rounds import Figure as Reading
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run

VARIED = {
    "rate": ("messages per second in the room", "每秒消息数", 1.0),
    "rtt_s": ("round trip of the link, ms", "往返时延（毫秒）", 1000.0),
    "interval_s": ("poll interval, s", "轮询间隔（秒）", 1.0),
    "hold_s": ("hold, s", "保持时间（秒）", 1.0),
}
"""Conditions for the x axis of a curve: label, label in Chinese, and scale of the axis."""
STEPS = 120
LINEAR_MS = 1.0
"""Below this a latency axis is linear, so that it can show theory's 0; above, it is logarithmic."""
SQUEEZED = 5.0
"""From this ratio of the longest to the shortest latency on, a curve's axis is logarithmic."""


class Panel(NamedTuple):
    """What a panel shows: its name in a prediction, its titles, and whether it is a time (in ms)."""

    name: str
    title: str
    chinese: str
    time: bool


PANELS = (
    Panel("requests", "Requests per listener and second", "每个接收端每秒请求数", False),
    Panel("latency_mean_s", "Mean latency, ms", "平均延迟（毫秒）", True),
)
Pairs = list[tuple[float, float]]
"""What was drawn: theory and measurement, in the unit of the axis."""


@style.of_runs
def prediction(runs: Sequence[Run], size: str = "page") -> Figure:
    """Theory and measurement; below each title stands how far they are from each other on average.

    The curve runs along the condition in which the runs differ (rate, rtt, interval or hold). Runs under
    the same conditions are shown as pairs: a ring for what was predicted, the sign for what was measured.
    """
    with style.sheet(size, height=0.56, ncols=2) as (figure, axes):
        found = [draw_prediction(part, runs, panel) for part, panel in zip(axes, PANELS, strict=True)]
        titles = [style.one(panel.title, panel.chinese) for panel in PANELS]
        shown = "; ".join(f"{title}: {far}" for title, far in zip(titles, found, strict=True))
        text = style.one("Theory and measurement.", "理论与实测。")
        captioned(figure, runs, f"{text} {shown}.", key(runs))
    return figure


def key(runs: Sequence[Run]) -> str:
    """What lines, rings and letters are."""
    if varying(runs):
        return style.one("lines: theory, letters: measured", "线：理论，字母：实测")
    return style.one("rings: theory, letters: measured", "圆圈：理论，字母：实测")


def draw_prediction(axes: Axes, runs: Sequence[Run], panel: Panel) -> str:
    """Draw one panel into existing axes; returns the sentence below its title."""
    varied = varying(runs)
    pairs = _curves(axes, runs, panel, varied) if varied else _rings(axes, runs, panel)
    far = distance(pairs, panel.time)
    axes.grid()
    style.titled(axes, panel.title, panel.chinese, far, stacked=True)
    return far


def varying(runs: Sequence[Run]) -> str | None:
    """The condition in which these runs differ, if a curve can run along it."""
    return next((name for name in VARIED if len({run.conditions[name] for run in runs}) > 1), None)


def distance(pairs: Pairs, time: bool) -> str:
    """How far the drawn measurements are from the drawn theory, on average: a share, or ms below 10 ms."""
    least = 1000 * NEXT_TO_NOTHING_S if time else 0.0
    shares = [abs(measured / theory - 1) for theory, measured in pairs if theory and theory >= least]
    short = [abs(measured - theory) for theory, measured in pairs if time and theory < least]
    words = [percent(mean(shares))] if shares else []
    if short:
        words.append(style.one("below 10 ms: {:.1f} ms", "不足 10 毫秒处：{:.1f} 毫秒").format(mean(short)))
    if not words:
        return style.one("nothing predicted", "没有理论值")
    return style.one("mean error ", "平均误差 ") + "; ".join(words)


def steady(panel: Panel, weights: Exchange) -> Reading:
    """The measured value in the unit of the axis; requests without those at the beginning and the end."""

    def reading(run: Run) -> float | None:
        if panel.time:
            return None if run.latency_s["mean"] is None else 1000 * run.latency_s["mean"]
        each = run.receive["requests"] / run.conditions["clients"]
        return float((each - edge_requests(run, weights)) / run.conditions["duration_s"])

    return reading


def theory(run: Run, panel: Panel, weights: Exchange, **changed: float) -> float | None:
    """The prediction in the unit of the axis: of one listener in the long run."""
    one = ideal(run.mode, along(run, **changed), weights)
    if not panel.time:
        return one.requests_per_s
    return None if one.latency_mean_s is None else 1000 * one.latency_mean_s


def _curves(axes: Axes, runs: Sequence[Run], panel: Panel, varied: str) -> Pairs:
    english, chinese, scale = VARIED[varied]
    name, ends = varied.removesuffix("_s"), {}
    pairs: Pairs = []
    for mode, those in by_mode(runs).items():
        weights = exchange_of(those)
        steps = _steps([run.conditions[varied] for run in those])
        expected = [theory(those[0], panel, weights, **{name: value}) for value in steps]
        look: style.Options = {"color": style.colour(mode), "label": mode}
        axes.plot([scale * step for step in steps], _numbers(expected), linestyle=style.dashes(mode), **look)
        ends[mode] = (scale * steps[-1], expected[-1])
        for value, rounds in _groups(those, varied).items():
            measured = median_over_rounds(rounds, steady(panel, weights))
            axes.plot([scale * value], _numbers([measured]), linestyle="none", clip_on=False, **_letter(mode))
            upright(axes, scale * value, rounds, steady(panel, weights))
            pairs += _pair(theory(rounds[0], panel, weights, **{name: value}), measured)
    _scaled(axes, runs, panel, pairs)
    axes.set_xlabel(style.label(english, chinese))
    at_the_end(axes, ends)
    return pairs


def _scaled(axes: Axes, runs: Sequence[Run], panel: Panel, pairs: Pairs) -> None:
    """The y axis: of latencies that are far apart a logarithmic one, with the transits of the link."""
    values = [value for pair in pairs for value in pair]
    if panel.time and values and 0 < SQUEEZED * min(values) < max(values):
        logarithmic_y(axes)
    else:
        axes.set_ylim(bottom=0)
    if panel.time:
        transits(axes, runs, across=True)


def _pair(expected: float | None, measured: float | None) -> Pairs:
    return [] if expected is None or measured is None else [(expected, measured)]


def _groups(runs: Sequence[Run], varied: str) -> dict[float, list[Run]]:
    """The rounds at each value."""
    found: dict[float, list[Run]] = {}
    for run in runs:
        found.setdefault(run.conditions[varied], []).append(run)
    return found


def _letter(mode: str) -> style.Options:
    return {"marker": style.sign(mode), "color": style.colour(mode), "zorder": 4}


def _numbers(values: Sequence[float | None]) -> list[float]:
    """Values for matplotlib: None is a gap in the line."""
    return [nan if value is None else value for value in values]


def _steps(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [low + (high - low) * step / STEPS for step in range(STEPS + 1)]


def _rings(axes: Axes, runs: Sequence[Run], panel: Panel) -> Pairs:
    modes, pairs = by_mode(runs), []
    for at, (mode, rounds) in enumerate(modes.items()):
        measured, expected = _both(rounds, panel)
        shown = [value for value in (expected, measured) if value is not None]
        axes.plot(shown, [at] * len(shown), color=style.tint(mode, 0.5))
        ring: style.Options = {"marker": "o", "markerfacecolor": "white", "color": style.colour(mode)}
        for value, look in ((expected, ring), (measured, _letter(mode))):
            if value is not None:
                axes.plot([value], [at], linestyle="none", clip_on=False, **look)
        pairs += _pair(expected, measured)
    style.rows(axes, list(modes))
    if panel.time:
        logarithmic(axes, linear_to=LINEAR_MS)
    axes.set_xlim(0, 1.3 * axes.get_xlim()[1])
    return pairs


def _both(rounds: Sequence[Run], panel: Panel) -> tuple[float | None, float | None]:
    """One technique's measurement and its prediction, in the unit of the axis."""
    weights = exchange_of(rounds)
    predicted: Callable[[Run], float | None] = lambda run: run.predicted.get(panel.name)  # noqa: E731
    known = median_over_rounds(rounds, predicted)
    expected = None if known is None else (1000 * known if panel.time else theory(rounds[0], panel, weights))
    return median_over_rounds(rounds, steady(panel, weights)), expected
