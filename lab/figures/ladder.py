"""The ladder: one message's way from the server to a listener, drawn by theory, technique by technique.

Time runs down. Nothing here is measured; every arrow follows from the round trip and the interval.
"""

from collections.abc import Iterable
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.catalogue import MODES, TECHNIQUES
from lab.figures import style
from lab.results.rounds import by_mode
from lab.results.runs import Run, run_list

RTT_S, INTERVAL_S = 0.16, 0.3
NEWS_S = 0.34
"""The time of the message: soon after an empty response to a poll."""
START_S, JUST_AFTER_S = 0.06, 0.03
CLIENT, SERVER = 0.0, 1.0
COLUMNS = 3
NEWS = ("message", "2nd")


class Arrow(NamedTuple):
    """A request or response: when it is sent (s), whether to the server, and its label."""

    leaves: float
    up: bool
    says: str


def ladder(runs: Run | Iterable[Run] = (), size: str = "page") -> Figure:
    """One message in each technique of these runs (all without any), as a time-sequence diagram.

    Where the listener asks again, a second message that is there just after the first shows the longest
    delay: three transits. Drawn for a round trip of 160 ms and polls 300 ms apart; it says that it is theory.
    """
    modes = list(by_mode(run_list(runs))) if runs else list(MODES)
    columns = min(COLUMNS, len(modes))
    lines = -(-len(modes) // columns)
    grid: style.Options = {"nrows": lines, "ncols": columns, "squeeze": False}
    with style.sheet(size, height=0.06 + 0.42 * lines, **grid) as (figure, axes):
        for panel in axes.flat:
            panel.set_axis_off()
        for panel, mode in zip(axes.flat, modes, strict=False):
            _panel(panel, mode)
        text = f"theory: {1000 * RTT_S:g} ms round trip, short polls {1000 * INTERVAL_S:g} ms apart"
        figure.suptitle(style.both(text, "理论示意图"), color=style.GREY)
    return figure


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


def _panel(axes: Axes, mode: str) -> None:
    colour = style.colour(mode)
    axes.set_xlim(-0.45, 2.5)
    axes.set_ylim(0.72, -0.08)
    for place, who in ((CLIENT, style.label("listener", "听众")), (SERVER, style.label("server", "服务器"))):
        axes.plot([place, place], [0.02, 0.72], color=style.GREY)
        axes.text(place, 0.0, who, ha="center", va="bottom", color=style.GREY)
    drawn = arrows(mode)
    for before, arrow in zip([None, *drawn], drawn, strict=False):
        answers = before is not None and abs(before.leaves + RTT_S / 2 - arrow.leaves) < 0.001
        _draw(axes, arrow, colour, below=answers)
    for arrow in drawn:
        if arrow.says in NEWS:
            _late(axes, arrow, colour)
    axes.set_title(style.name(mode).replace("\n", "  "), color=colour, pad=20)


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
    axes.text(0.5, at, arrow.says, ha="center", va=side, color=colour)


def _late(axes: Axes, arrow: Arrow, colour: str) -> None:
    """Mark the time of a message at the server, and the delay until the listener receives it."""
    second = arrow.says == NEWS[1]
    there = NEWS_S + (JUST_AFTER_S if second else 0.0)
    arrives = arrow.leaves + RTT_S / 2
    axes.plot([SERVER], [there], marker="o", color=colour, markerfacecolor="white" if second else colour)
    place = SERVER + (0.22 if second else 0.12)
    axes.plot([place, place], [there, arrives], color=colour, linewidth=3, solid_capstyle="butt")
    late = f"{1000 * (arrives - NEWS_S):.0f} ms"
    late = f"up to {late}:\n3 transits" if second else late
    axes.text(
        place + 0.07, arrives if second else there, late, color=colour, va="bottom" if second else "center"
    )
