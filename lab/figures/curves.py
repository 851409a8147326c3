"""Curves: theory with the measured points on it, and cost against the number of listeners."""

from collections.abc import Sequence
from math import nan
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.experiment.conditions import Conditions
from lab.experiment.prediction import ZERO_COST, ideal, predict_run
from lab.figures import style
from lab.figures.ticks import logarithmic
from lab.json_types import JsonObject
from lab.results.format import percent
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
KEYS = {True: "lines: theory · letters: measured", False: "rings: theory · letters: measured"}
LINEAR_MS = 1.0
"""Below this a latency axis is linear, so that it can show theory's 0; above, it is logarithmic."""
FIGURES: tuple[tuple[str, str, str, Reading], ...] = (
    ("requests", "requests per listener and second", "每个听众每秒请求", lambda run: run.receive["requests"]),
    ("latency_mean_s", "mean latency, ms", "平均时延（毫秒）", lambda run: run.latency_s["mean"]),
)


@style.of_runs
def prediction(runs: Sequence[Run], size: str = "page") -> Figure:
    """Measured points on predicted curves; the mean relative error is in the title.

    The curve runs along the condition in which the runs differ (rate, rtt, interval or hold). Runs under
    the same conditions are shown as pairs: a ring for what was predicted, the sign for what was measured.
    """
    with style.sheet(size, height=0.5, ncols=2) as (figure, axes):
        for part, panel in zip(axes, FIGURES, strict=True):
            draw_prediction(part, runs, panel)
        figure.suptitle(KEYS[bool(varying(runs))], color=style.GREY)
    return figure


def draw_prediction(axes: Axes, runs: Sequence[Run], panel: tuple[str, str, str, Reading]) -> None:
    """Draw one panel into existing axes."""
    name, english, chinese, reading = panel
    varied = varying(runs)
    (_curves if varied else _pairs)(axes, runs, name, reading, varied or "")
    (axes.set_ylabel if varied else axes.set_xlabel)(style.label(english, chinese))
    axes.grid()
    error = mean_error(runs, name, reading)
    found = "Nothing predicted" if error is None else f"Measured: {percent(error)} off theory"
    style.titled(axes, found, "")


def varying(runs: Sequence[Run]) -> str | None:
    """The condition in which these runs differ, if a curve can run along it."""
    return next((name for name in VARIED if len({run.conditions[name] for run in runs}) > 1), None)


def mean_error(runs: Sequence[Run], name: str, reading: Reading) -> float | None:
    """How far measurements are from their predictions, as a share, on average over the runs."""
    pairs = [(reading(run), run.predicted[name]) for run in runs]
    errors = [abs(measured / expected - 1) for measured, expected in pairs if measured and expected]
    return mean(errors) if errors else None


def _curves(axes: Axes, runs: Sequence[Run], name: str, reading: Reading, varied: str) -> None:
    english, chinese, scale = VARIED[varied]
    for mode, those in by_mode(runs).items():
        look: style.Options = {"color": style.colour(mode), "label": mode}
        along = _along([run.conditions[varied] for run in those])
        expected = [_expected(those[0], mode, name, varied, value) for value in along]
        axes.plot(
            [scale * value for value in along], _numbers(expected), linestyle=style.dashes(mode), **look
        )
        places = [scale * run.conditions[varied] for run in those]
        measured = [_measured(run, name, reading(run)) for run in those]
        axes.plot(places, _numbers(measured), linestyle="none", clip_on=False, **_letter(mode))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(style.label(english, chinese))
    axes.legend(loc="best")


def _letter(mode: str) -> style.Options:
    return {"marker": style.sign(mode), "color": style.colour(mode)}


def _numbers(values: Sequence[float | None]) -> list[float]:
    """Values for matplotlib: None is a gap in the line."""
    return [nan if value is None else value for value in values]


def _along(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [low + (high - low) * step / STEPS for step in range(STEPS + 1)]


def _expected(run: Run, mode: str, name: str, varied: str, value: float) -> float | None:
    """The prediction at this value: requests per second, or milliseconds."""
    changed: JsonObject = {varied.removesuffix("_s"): value}
    one = ideal(mode, Conditions.of(run.conditions | {"duration_s": max(1000, 1000 / value or 1)}, **changed))
    if name == "requests":
        return one.requests_per_s
    return None if one.latency_mean_s is None else 1000 * one.latency_mean_s


def _measured(run: Run, name: str, figure: float | None) -> float | None:
    """The measured value, in the unit of the axis, without the first requests, which are set-up."""
    if figure is None:
        return None
    if name != "requests":
        return 1000 * figure
    window = predict_run(run.mode, Conditions.of(run.conditions), ZERO_COST).window_s
    clients: int = run.conditions["clients"]
    return (figure / clients - 1) / window


def _pairs(axes: Axes, runs: Sequence[Run], name: str, reading: Reading, _: str) -> None:
    modes = by_mode(runs)
    for at, (mode, rounds) in enumerate(modes.items()):
        measured = _measured(rounds[0], name, median_over_rounds(rounds, reading))
        expected = _measured(rounds[0], name, median_over_rounds(rounds, lambda run: run.predicted[name]))
        shown = [value for value in (expected, measured) if value is not None]
        axes.plot(shown, [at] * len(shown), color=style.tint(mode, 0.5))
        ring: style.Options = {
            "marker": "o",
            "markerfacecolor": "white",
            "markeredgecolor": style.colour(mode),
        }
        for value, look in ((expected, ring), (measured, {"marker": style.sign(mode)})):
            if value is not None:
                axes.plot([value], [at], color=style.colour(mode), linestyle="none", clip_on=False, **look)
    style.rows(axes, list(modes))
    if name != "requests":
        logarithmic(axes, linear_to=LINEAR_MS)
    axes.set_xlim(0, 1.3 * axes.get_xlim()[1])


@style.of_runs
def scale(runs: Sequence[Run], size: str = "page") -> Figure:
    """The server's cost against the number of listeners: processor time, memory, bytes per delivery."""
    panels: tuple[tuple[str, str, Reading], ...] = (
        (
            "CPU per delivery, µs",
            "每次送达 CPU（微秒）",
            lambda run: _micro(run.per_delivery(run.server_cpu_s)),
        ),
        ("server memory, MiB", "服务器内存（MiB）", lambda run: _mebi(run.server_rss_bytes)),
        ("bytes per delivery", "每次送达字节数", lambda run: run.per_delivery(run.socket_bytes)),
    )
    with style.sheet(size, height=0.42, ncols=3) as (figure, axes):
        for part, (english, chinese, reading) in zip(axes, panels, strict=True):
            _grow(part, runs, reading)
            part.set_title(f"{english}\n{chinese}" if style.chinese_font() else english)
        axes[1].legend(loc="lower right")
    return figure


def _grow(axes: Axes, runs: Sequence[Run], reading: Reading) -> None:
    for mode, those in by_mode(runs).items():
        clients = sorted({run.conditions["clients"] for run in those})
        figures = [
            median_over_rounds([run for run in those if run.conditions["clients"] == number], reading)
            for number in clients
        ]
        look: style.Options = {
            "color": style.colour(mode),
            "linestyle": style.dashes(mode),
            "marker": style.sign(mode),
        }
        axes.plot(clients, _numbers(figures), label=mode, **look)
    logarithmic(axes, at=sorted({run.conditions["clients"] for run in runs}))
    axes.set_ylim(0, 1.1 * axes.get_ylim()[1])  # room for the letters, also where nothing grows
    axes.set_xlabel(style.label("listeners", "听众数"))
    axes.grid()


def _micro(value: float | None) -> float | None:
    return None if value is None else 1e6 * value


def _mebi(value: float | None) -> float | None:
    return None if value is None else value / 2**20
