"""Bars: the bytes of one delivered message, and the empty responses."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lab.figures import style
from lab.figures.caption import captioned
from lab.figures.intervals import across
from lab.results.format import count, percent, times
from lab.results.per_message import transferred
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run

BAR = 0.62


@style.of_runs
def overhead(runs: Sequence[Run], size: str = "page") -> Figure:
    """The bytes on the wire for one delivered message, split into head, framing and payload.

    Bars are bytes per delivered message at the server's socket, medians over the rounds.
    """
    with style.sheet(size, height=0.18 + 0.085 * len(by_mode(runs))) as (figure, axes):
        draw_overhead(axes, runs)
        each = {mode: _total(rounds) for mode, rounds in by_mode(runs).items()}
        shown = ", ".join(f"{mode} {count(value)}" for mode, value in each.items())
        text = style.one(
            "Bars: bytes per delivered message, measured", "条形图：每条送达消息的字节数（实测）"
        )
        captioned(figure, runs, f"{text}: {shown}.")
    return figure


def _total(rounds: Sequence[Run]) -> float | None:
    return median_over_rounds(rounds, _each)


def _each(run: Run) -> float | None:
    return run.per_delivery(run.socket_bytes)


def draw_overhead(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the bars of bytes into existing axes."""
    modes = by_mode(runs)
    ends = []
    for at, (mode, rounds) in enumerate(modes.items()):
        total = _stack(axes, at, mode, rounds)
        ends.append(max(total, across(axes, at, rounds, _each)))
        text = f" {count(total)} B = {times(median_over_rounds(rounds, lambda run: run.overhead))}"
        if total:
            axes.text(ends[-1], at, text, va="center", ha="left", fontweight=style.bold())
        else:
            style.unmeasured(axes, at)
    style.rows(axes, list(modes))
    axes.set_xlim(0, 1.45 * max(ends) or 1)
    axes.set_xlabel(style.label("bytes (measured)", "字节（实测）"))
    axes.grid(axis="x")
    _key(axes)
    style.titled(axes, "Bytes per delivered message", "每条送达消息的字节数")


def _stack(axes: Axes, at: int, mode: str, rounds: Sequence[Run]) -> float:
    """One technique's bar; returns its length in bytes."""
    left = 0.0
    for name, (_, strength, hatch) in style.PARTS.items():
        width = median_over_rounds(rounds, transferred(name)) or 0.0
        look: style.Options = {"color": style.tint(mode, strength), "hatch": hatch, "edgecolor": "white"}
        axes.barh(at, width, BAR, left=left, linewidth=0, **look)
        left += width
    return left


def _key(axes: Axes) -> None:
    """Add the legend: which strength of colour is which part."""
    grey: style.Options = {"facecolor": style.GREY, "edgecolor": "white", "linewidth": 0}
    patches = [
        Patch(alpha=strength, hatch=hatch, label=style.both(name, chinese), **grey)
        for name, (chinese, strength, hatch) in style.PARTS.items()
    ]
    axes.legend(handles=patches, loc="lower right", ncols=1)


@style.of_runs
def requests(runs: Sequence[Run], size: str = "page") -> Figure:
    """All requests of each technique, with the empty responses hatched; medians over the rounds."""
    with style.sheet(size, height=0.18 + 0.085 * len(by_mode(runs))) as (figure, axes):
        draw_answers(axes, runs)
        each = {mode: median_over_rounds(rounds, _made) for mode, rounds in by_mode(runs).items()}
        shown = ", ".join(f"{mode} {count(value)}" for mode, value in each.items())
        text = style.one("Bars: requests, measured, the empty ones hatched", "条形图：请求数（实测）")
        captioned(figure, runs, f"{text}: {shown}.")
    return figure


def draw_answers(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the requests of each technique, with the empty responses hatched."""
    modes = by_mode(runs)
    totals = [_answers(axes, at, mode, rounds) for at, (mode, rounds) in enumerate(modes.items())]
    style.rows(axes, list(modes))
    axes.set_xlim(0, 1.6 * max(totals) or 1)
    axes.set_xlabel(style.label("requests (measured); hatched: empty", "请求数（实测）；斜线：空响应"))
    axes.grid(axis="x")
    style.titled(axes, "Requests and empty responses", "请求与空响应")


def _made(run: Run) -> float | None:
    return float(run.receive["requests"])


def _answers(axes: Axes, at: int, mode: str, rounds: Sequence[Run]) -> float:
    """One technique's bar; returns where it ends, in requests."""
    made = median_over_rounds(rounds, _made) or 0.0
    empty = median_over_rounds(rounds, lambda run: run.receive["empty"]) or 0.0
    if not made:
        style.unmeasured(axes, at)
        return 0.0
    axes.barh(at, made - empty, BAR, color=style.colour(mode))
    hollow: style.Options = {"facecolor": "white", "edgecolor": style.colour(mode), "hatch": "////"}
    axes.barh(at, empty, BAR, left=made - empty, **hollow)
    end = max(made, across(axes, at, rounds, _made))
    none = style.one(f", {percent(empty / made)} empty", f"，{percent(empty / made)} 为空")
    axes.text(end, at, f" {count(made)}{none if empty else ''}", va="center", fontweight=style.bold())
    return end
