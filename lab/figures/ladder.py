"""The ladder: one message's way from the server to a listener, technique by technique.

Time runs down. The drawing is theory and not to scale; the times on it are those of the runs: what theory
says under their conditions, and what was measured.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.catalogue import MODES, TECHNIQUES
from lab.experiment.conditions import Conditions
from lab.experiment.prediction import ZERO_COST, Exchange, ideal
from lab.experiment.weights import along, exchange_of
from lab.figures import style
from lab.figures.caption import captioned
from lab.results.format import seconds
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run, run_list

RTT_S, INTERVAL_S = 0.16, 0.3
"""Of the drawing; and of its times, where there are no runs."""
NEWS_S = 0.34
"""The time of the message: soon after an empty response to a poll."""
START_S, JUST_AFTER_S = 0.06, 0.03
CLIENT, SERVER = 0.0, 1.0
COLUMNS = 3
NEWS = ("message", "2nd")
CHINESE = {"nothing": "空", "message": "消息", "begin": "开始", "2nd": "第二条"}


class Arrow(NamedTuple):
    """A request or response: when it is sent (s), whether to the server, and its label."""

    leaves: float
    up: bool
    says: str


class Times(NamedTuple):
    """The delays that are written on a technique's drawing, in seconds; None: not known."""

    least: float | None
    mean: float | None
    longest: float | None
    measured: float | None = None


def ladder(runs: Run | Iterable[Run] = (), size: str = "page") -> Figure:
    """One message in each technique of these runs (all without any), as a time-sequence diagram.

    Where the listener asks again, a second message that is there just after the first shows the longest
    delay: three transits. The times are those of the runs; without any, of a round trip of 160 ms and polls
    300 ms apart.
    """
    known = by_mode(_alike(run_list(runs))) if runs else {}
    modes = list(known or MODES)
    columns = min(COLUMNS, len(modes))
    lines = -(-len(modes) // columns)
    grid: style.Options = {"nrows": lines, "ncols": columns, "squeeze": False}
    with style.sheet(size, height=0.1 + 0.44 * lines, **grid) as (figure, axes):
        for panel in axes.flat:
            panel.set_axis_off()
        for panel, mode in zip(axes.flat, modes, strict=False):
            _panel(panel, mode, times(mode, known.get(mode, [])))
        _caption(figure, known)
    return figure


def _alike(runs: Sequence[Run]) -> list[Run]:
    """The runs under the conditions of the first: the drawing has one set of times."""
    return [run for run in runs if run.conditions == runs[0].conditions]


def times(mode: str, rounds: Sequence[Run]) -> Times:
    """The delays of one technique: theory under the conditions of its runs, and the measured mean."""
    if not rounds:
        conditions = Conditions(clients=1, interval=INTERVAL_S, rtt=RTT_S)
        return _theory(mode, conditions, ZERO_COST)
    found = _theory(mode, along(rounds[0]), exchange_of(rounds))
    return found._replace(measured=median_over_rounds(rounds, lambda run: run.latency_s["mean"]))


def _theory(mode: str, conditions: Conditions, weights: Exchange) -> Times:
    found = ideal(mode, conditions, weights)
    longest = ideal(mode, replace(conditions, arrivals="poisson"), weights).latency_max_s
    return Times(conditions.rtt / 2 + weights.transit, found.latency_mean_s, longest)


def _caption(figure: style.Sheet, known: dict[str, list[Run]]) -> None:
    """The note that it is theory, and the conditions of the runs."""
    note = style.both("theory, not to scale", "理论示意图，不按比例")
    runs = [run for rounds in known.values() for run in rounds]
    shows = style.one(
        "Time-sequence diagrams: how one message goes from the server to a listener.",
        "时序图：一条消息怎样从服务器到达接收端。",
    )
    if runs:
        captioned(figure, runs, shows, note)
    else:
        figure.suptitle(f"{note}: {1000 * RTT_S:g} ms / {1000 * INTERVAL_S:g} ms", color=style.GREY)
        figure.alt = shows


def arrows(mode: str) -> list[Arrow]:
    """The requests and responses around one message that arrives at `NEWS_S`."""
    one_way = RTT_S / 2
    verb = TECHNIQUES[mode].verb
    if verb == "ask":
        again = START_S + RTT_S + INTERVAL_S
        return [
            *(Arrow(START_S, True, "?"), Arrow(START_S + one_way, False, "nothing")),
            *(Arrow(again, True, "?"), Arrow(again + one_way, False, "message")),
        ]
    if verb == "wait":
        arrives = NEWS_S + one_way
        back = [Arrow(arrives, True, "?"), Arrow(arrives + one_way, False, "2nd")]
        return [Arrow(START_S, True, "?"), Arrow(NEWS_S, False, "message"), *back]
    begin = Arrow(START_S + one_way, False, "begin")
    return [Arrow(START_S, True, "?"), begin, Arrow(NEWS_S, False, "message")]


def _panel(axes: Axes, mode: str, known: Times) -> None:
    colour = style.colour(mode)
    axes.set_xlim(-0.45, 2.6)
    axes.set_ylim(0.86, -0.08)
    for place, who in (
        (CLIENT, style.label("listener", "接收端")),
        (SERVER, style.label("server", "服务器")),
    ):
        axes.plot([place, place], [0.02, 0.72], color=style.GREY)
        axes.text(place, 0.0, who, ha="center", va="bottom", color=style.GREY)
    drawn = arrows(mode)
    for before, arrow in zip([None, *drawn], drawn, strict=False):
        answers = before is not None and abs(before.leaves + RTT_S / 2 - arrow.leaves) < 0.001
        _draw(axes, arrow, colour, below=answers)
    for arrow in drawn:
        if arrow.says in NEWS:
            _late(axes, arrow, colour, _delay(mode, arrow, known))
    axes.set_title(style.name(mode).replace("\n", "  "), color=colour, pad=20)
    axes.text(-0.45, 0.86, _means(known), ha="left", va="bottom", fontsize="small").set_in_layout(False)


def _means(known: Times) -> str:
    """The mean delay by theory, and the measured one."""
    text = style.one("mean in theory {}", "平均：理论 {}").format(seconds(known.mean))
    if known.measured is None:
        return text
    return text + style.one("\nmean measured {}", "\n平均：实测 {}").format(seconds(known.measured))


def _delay(mode: str, arrow: Arrow, known: Times) -> str:
    """What is written at an arrow that brings a message."""
    if arrow.says == NEWS[1]:
        return style.one("up to {}:\n3 transits", "最长 {}：\n三趟").format(seconds(known.longest))
    if TECHNIQUES[mode].verb == "ask":
        return style.one("{} to\n{}", "{} 到\n{}").format(seconds(known.least), seconds(known.longest))
    return seconds(known.least)


def _draw(axes: Axes, arrow: Arrow, colour: str, below: bool) -> None:
    """Draw an arrow with its label; the label is below when the arrow begins where the last one ended."""
    start, end = (CLIENT, SERVER) if arrow.up else (SERVER, CLIENT)
    news = arrow.says in NEWS
    look: style.Options = {"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0}
    look |= {"linewidth": 1.8, "linestyle": "solid"} if news else {"linewidth": 1, "linestyle": (0, (4, 2))}
    arrives = arrow.leaves + RTT_S / 2
    axes.annotate("", xy=(end, arrives), xytext=(start, arrow.leaves), arrowprops=look)
    gap = 0.010 if len(arrow.says) == 1 else 0.030  # a long label reaches to where the arrow is higher
    at, side = (
        (arrow.leaves + RTT_S / 4 + gap, "top") if below else (arrow.leaves + RTT_S / 4 - gap, "bottom")
    )
    axes.text(
        0.5,
        at,
        style.one(arrow.says, CHINESE.get(arrow.says, arrow.says)),
        ha="center",
        va=side,
        color=colour,
    )


def _late(axes: Axes, arrow: Arrow, colour: str, late: str) -> None:
    """Mark the time of a message at the server, and the delay until the listener receives it."""
    second = arrow.says == NEWS[1]
    there = NEWS_S + (JUST_AFTER_S if second else 0.0)
    arrives = arrow.leaves + RTT_S / 2
    axes.plot([SERVER], [there], marker="o", color=colour, markerfacecolor="white" if second else colour)
    place = SERVER + (0.22 if second else 0.12)
    axes.plot([place, place], [there, arrives], color=colour, linewidth=3, solid_capstyle="butt")
    at, side = (arrives, "bottom") if second else (there, "center")
    axes.text(place + 0.07, at, late, color=colour, va=side)
