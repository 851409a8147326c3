"""Ways to compress WebSocket messages: what each saves in bytes, and costs in processor time and memory."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures import style
from lab.figures.caption import captioned
from lab.figures.intervals import across
from lab.results.format import count
from lab.results.per_message import by_compression, bytes_per_delivery, cpu_per_delivery, memory_per_client
from lab.results.rounds import Figure as Reading
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run

BAR = 0.62
CHINESE = {"none": "不压缩", "fresh": "每条单独", "kept": "保留窗口"}
PANELS: tuple[tuple[str, str, float, Reading], ...] = (
    ("bytes / message", "字节／消息", 1.0, lambda run: bytes_per_delivery([run])),
    ("CPU µs / message", "CPU 微秒／消息", 1e6, cpu_per_delivery),
    ("KiB / client", "KiB／客户端", 1 / 1024, memory_per_client),
)
"""Title, title in Chinese, scale of the axis, and the figure of a run."""


@style.of_runs
def compression(runs: Sequence[Run], size: str = "page") -> Figure:
    """Bytes and processor time per delivered message, and memory per client, for each way to compress.

    All are measured, medians over the rounds. A technique that was measured in one way has one row.
    """
    groups = rows(runs)
    with style.sheet(size, height=0.24 + 0.07 * len(groups), ncols=3, sharey=True) as (figure, axes):
        for panel, (english, chinese, scale, reading) in zip(axes, PANELS, strict=True):
            _bars(panel, groups, scale, reading)
            style.titled(panel, english, chinese, stacked=True)
        _names(axes[0], groups)
        captioned(figure, runs, f"Bars for each way to compress. {_shows(groups)}")
    return figure


def _shows(groups: Sequence[tuple[str, list[Run]]]) -> str:
    english, _, scale, reading = PANELS[0]
    values = [(runs[0].mode, way, median_over_rounds(runs, reading)) for way, runs in groups]
    shown = [f"{mode} {way} {count(value and scale * value)}" for mode, way, value in values]
    return f"{english}: {', '.join(' '.join(text.split()) for text in shown)}."


def rows(runs: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    """The runs of each row, with the way to compress; empty for a technique that was measured in one way."""
    found = []
    for mode, those in by_mode(runs).items():
        ways = by_compression(run for run in runs if run.mode == mode)
        found += list(ways.items()) if len(ways) > 1 else [("", those)]
    return found


def _bars(axes: Axes, groups: Sequence[tuple[str, list[Run]]], scale: float, reading: Reading) -> None:
    longest = 0.0
    for at, (_, runs) in enumerate(groups):
        value = median_over_rounds(runs, reading)
        if value is None:
            style.unmeasured(axes, at)
            continue
        axes.barh(at, scale * value, BAR, color=style.colour(runs[0].mode))
        end = max(0.0, scale * value, across(axes, at, runs, reading, scale))
        axes.text(end, at, f" {count(scale * value)}", va="center", ha="left")
        longest = max(longest, end)
    axes.set_xlim(0, 1.4 * longest or 1)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _names(axes: Axes, groups: Sequence[tuple[str, list[Run]]]) -> None:
    """Name each row by its technique and its way to compress."""
    style.rows(axes, [runs[0].mode for _, runs in groups])
    names = [f"{runs[0].mode}, {style.both(way, CHINESE[way])}" if way else "" for way, runs in groups]
    usual = [text.get_text() for text in axes.get_yticklabels()]
    axes.set_yticklabels([name or known for name, known in zip(names, usual, strict=True)])
