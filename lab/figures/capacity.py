"""What many listeners would need: labs, memory and bandwidth for each technique, from measured unit costs."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.experiment.capacity import Capacity, Need
from lab.experiment.capacity import capacity as compute
from lab.experiment.unit_costs import Constant, UnitCosts
from lab.figures import style
from lab.figures.caption import captioned
from lab.figures.ticks import logarithmic, plain
from lab.results.format import NOTHING
from lab.results.runs import Run

Part = Callable[[Need], float | None]
STEM = 0.35
"""Strength of the colour of the line that leads to a dot."""
ROOM = 12.0
"""The axis ends at so many times the largest value, because its number stands right of the dot."""


class Panel(NamedTuple):
    """A title in both languages, the figure, and the figure of a ring beside its dot."""

    english: str
    chinese: str
    dot: Part
    ring: Part
    constant: Callable[[UnitCosts], Constant | None]


def _nothing(_: object) -> None:
    """No ring, no interval."""


def _processor(costs: UnitCosts) -> Constant | None:
    """The constant behind the labs, where it is one."""
    return costs.poll_cpu_s[0].cpu_s if len(costs.poll_cpu_s) == 1 else costs.message_cpu_s


PANELS = (
    Panel("Labs of one core", "实验室（每个一核）", lambda need: need.labs, _nothing, _processor),
    Panel(
        "Memory, GiB",
        "内存（GiB）",
        lambda need: _scaled(need.memory_bytes, 2**-30),
        _nothing,
        lambda costs: costs.connection_bytes,
    ),
    Panel(
        "Bandwidth, Gbit/s",
        "带宽（Gbit/s）",
        lambda need: _scaled(need.wire_bits_per_s, 1e-9),
        lambda need: _scaled(need.bits_per_s, 1e-9),
        _nothing,
    ),
)


def capacity(runs: Capacity | Run | Iterable[Run], size: str = "page") -> Figure:
    """What so many listeners need by each technique: labs of one core, memory, bandwidth; axes logarithmic.

    `runs` is what `lab.capacity` returned, or runs: then for a million listeners at the rate of the runs.
    """
    known = runs if isinstance(runs, Capacity) else compute(runs)
    modes = list(known.needs)
    with style.sheet(size, height=0.22 + 0.062 * len(modes), ncols=3, sharey=True) as (figure, axes):
        for part, panel in zip(axes, PANELS, strict=True):
            _draw(part, known, panel)
            below = panel.english.startswith("Bandwidth")
            style.titled(part, panel.english, panel.chinese, _key() if below else " ", stacked=True)
        style.rows(axes[0], modes)
        for part in axes[1:]:
            part.tick_params(axis="y", length=0)
            part.spines["left"].set_visible(False)
        captioned(figure, known.runs, _shows(known), _note(known))
    return figure


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else scale * value


def _key() -> str:
    return style.one("dot: with TCP/IP · ring: without", "圆点：含 TCP/IP · 圆圈：不含")


def _note(known: Capacity) -> str:
    """What was computed, and of what; the conditions of the runs follow."""
    listeners, rate, busy = f"{known.listeners:,}", f"{known.rate:g}", f"{known.utilisation:.0%}"
    return style.one(
        f"computed for {listeners} listeners at {rate}/s, labs busy {busy} of the time · measured",
        f"按 {listeners} 个接收端、每秒 {rate} 条消息、实验室忙碌时间占 {busy} 计算 · 实测",
    )


def _shows(known: Capacity) -> str:
    """The three figures of each technique."""
    parts = []
    for mode, need in known.needs.items():
        values = [_number(panel.dot(need) or panel.ring(need)) for panel in PANELS]
        parts.append(f"{mode} {', '.join(values)}")
    text = style.one("Labs of one core, GiB of memory, Gbit/s", "实验室数、内存（GiB）、带宽（Gbit/s）")
    return f"{text}: {'; '.join(parts)}."


def _number(value: float | None) -> str:
    return NOTHING if value is None else plain(float(f"{value:.3g}"))


def _draw(axes: Axes, known: Capacity, panel: Panel) -> None:
    drawn: list[float] = []
    for at, (mode, need) in enumerate(known.needs.items()):
        dot, ring = panel.dot(need), panel.ring(need)
        ends = _interval(dot, panel.constant(known.costs[mode]))
        shown = [value for value in (dot, ring, *ends) if value]
        drawn += shown
        if not shown:
            style.unmeasured(axes, at)
            continue
        _row(axes, at, mode, dot, ring, max(shown))
        width = 0.55 * rcParams["lines.linewidth"]
        axes.plot(ends, [at] * len(ends), color=style.INK, linewidth=width, marker="|", zorder=3)
    _axis(axes, drawn)


def _row(axes: Axes, at: int, mode: str, dot: float | None, ring: float | None, last: float) -> None:
    """A ring and a dot, and right of `last` the number of the dot, or of the ring where it stands alone."""
    colour = style.colour(mode)
    if dot is not None and ring is not None:
        axes.plot([ring, dot], [at, at], color=style.tint(mode, STEM))
    if ring is not None:
        axes.plot([ring], [at], marker="o", color=colour, markerfacecolor="white", linestyle="none")
    if dot is not None:
        axes.plot([dot], [at], marker="o", color=colour, linestyle="none")
    text = _number(dot if dot is not None else ring)
    gap = 0.7 * rcParams["font.size"]
    axes.annotate(text, (last, at), (gap, 0), "data", "offset points", va="center", color=colour)


def _interval(value: float | None, constant: Constant | None) -> list[float]:
    """The ends of the interval of a figure, which is in proportion to the constant behind it; or none."""
    if value is None or constant is None or constant.low is None or constant.high is None:
        return []
    return [value * max(0.0, end) / constant.value for end in (constant.low, constant.high)]


def _axis(axes: Axes, drawn: Sequence[float]) -> None:
    if not drawn:
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        return
    logarithmic(axes)
    axes.set_xlim(min(drawn) / 2, max(drawn) * ROOM)
    axes.grid(axis="x")
