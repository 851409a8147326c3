"""Growth: the server's cost against the number of listeners."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures import style
from lab.figures.caption import captioned
from lab.figures.intervals import upright
from lab.figures.ticks import logarithmic, logarithmic_y
from lab.results.format import count
from lab.results.rounds import Figure as Reading
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run

PANELS: tuple[tuple[str, str, float, bool, Reading], ...] = (
    (
        "CPU per delivery, µs",
        "每次送达 CPU（微秒）",
        1e6,
        True,
        lambda run: run.per_delivery(run.server_cpu_s),
    ),
    ("server memory, MiB", "服务器内存（MiB）", 2.0**-20, False, lambda run: run.server_rss_bytes),
    ("bytes per delivery", "每次送达字节数", 1.0, False, lambda run: run.per_delivery(run.socket_bytes)),
)
"""Title, title in Chinese, scale of the axis, whether it is logarithmic, and the figure of a run."""


@style.of_runs
def scale(runs: Sequence[Run], size: str = "page") -> Figure:
    """The server's cost against the number of listeners: processor time, memory, bytes per delivery."""
    with style.sheet(size, height=0.46, ncols=3) as (figure, axes):
        for part, (english, chinese, scale, logarithm, reading) in zip(axes, PANELS, strict=True):
            _grow(part, runs, scale, reading)
            if logarithm:
                logarithmic_y(part)
            else:
                part.set_ylim(0, 1.1 * part.get_ylim()[1])  # room for the letters, also where nothing grows
            style.titled(part, english, chinese, stacked=True)
        axes[1].legend(loc="lower right")
        captioned(figure, runs, f"Curves against the number of listeners. {_shows(runs)}")
    return figure


def _shows(runs: Sequence[Run]) -> str:
    """Processor time for a delivery with most listeners."""
    most = max(run.conditions["clients"] for run in runs)
    _, _, scale, _, reading = PANELS[0]
    each = {
        mode: median_over_rounds([run for run in those if run.conditions["clients"] == most], reading)
        for mode, those in by_mode(runs).items()
    }
    shown = ", ".join(f"{mode} {count(value and scale * value)}" for mode, value in each.items())
    return f"CPU per delivery with {most} listeners, in µs: {shown}."


def _grow(axes: Axes, runs: Sequence[Run], scale: float, reading: Reading) -> None:
    numbers = sorted({run.conditions["clients"] for run in runs})
    for mode, those in by_mode(runs).items():
        groups = {n: [run for run in those if run.conditions["clients"] == n] for n in numbers}
        known = {n: median_over_rounds(rounds, reading) for n, rounds in groups.items() if rounds}
        points = [(n, scale * value) for n, value in known.items() if value is not None]
        look: style.Options = {
            "color": style.colour(mode),
            "linestyle": style.dashes(mode),
            "marker": style.sign(mode),
        }
        axes.plot([n for n, _ in points], [value for _, value in points], label=mode, **look)
        for n, _ in points:
            upright(axes, n, groups[n], reading, scale)
    logarithmic(axes, at=numbers)
    axes.set_xlabel(style.label("listeners", "接收端数"))
    axes.grid()
