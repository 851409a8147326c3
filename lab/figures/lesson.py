"""A lesson so far, drawn from its meters: bytes per message, requests with empty responses, and delays."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.errors import BadInput
from lab.figures import style
from lab.figures.bars import draw_answers, draw_overhead
from lab.figures.ticks import logarithmic
from lab.json_types import JsonObject
from lab.results.format import count, seconds
from lab.results.runs import Run

SCHEMA = "pushlab.lesson/1"


def lesson(exported: JsonObject, size: str = "projector") -> Figure:
    """Draw the meters of a classroom, from the JSON that the teacher exports.

    Three panels: bytes per delivered message, requests with the empty responses, and delivery delay (from the
    room to the socket). An unused technique is "not measured". Raises `BadInput` for any other JSON.
    """
    runs = runs_of(exported)
    with style.sheet(size, height=0.5, small=0.58, ncols=3) as (figure, axes):
        draw_overhead(axes[0], runs)
        draw_answers(axes[1], runs)
        draw_delivery(axes[2], runs)
        figure.suptitle(caption(exported), color=style.GREY)
        shown = "bytes per delivered message, requests, and delay in the server"
        figure.alt = f"Three panels: {shown}. {' '.join(caption(exported).split())}."
    return figure


def runs_of(exported: JsonObject) -> list[Run]:
    """The receiving side of each technique, as a run for the figures."""
    try:
        if exported["schema"] != SCHEMA:
            raise BadInput(f"This is schema {exported['schema']!r}; a lesson's is {SCHEMA}.")
        return [_run(mode, both, exported) for mode, both in exported["meters"]["techniques"].items()]
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput("This is not an export of a lesson.") from error


def _run(mode: str, both: JsonObject, exported: JsonObject) -> Run:
    receive, send = both["receive"], both["send"]
    nothing: JsonObject = {"predicted": {}, "series": [], "conditions": {}, "lab": exported["lab"]}
    nothing |= {"lost": 0, "duplicated": 0, "out_of_order": 0, "server_cpu_s": None, "server_rss_bytes": None}
    messages = receive["messages"]
    known: JsonObject = {"sent": send["messages"], "expected": messages, "delivered": messages}
    return Run(mode, 1, receive=receive, send=send, latency_s=receive["delivery_s"], **known, **nothing)


def draw_delivery(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the delivery delay: a mark at the median, a line to the 95th percentile, on a log axis."""
    for at, run in enumerate(runs):
        median_over_rounds, reach = run.latency_s["p50"], run.latency_s["p95"]
        if median_over_rounds is None:
            style.unmeasured(axes, at)
            continue
        axes.plot([1000 * median_over_rounds, 1000 * reach], [at, at], color=style.colour(run.mode))
        axes.plot(1000 * median_over_rounds, at, "o", color=style.colour(run.mode))
        place: Any = axes.get_yaxis_transform()
        text = f"p50 {seconds(median_over_rounds)}, p95 {seconds(reach)}"
        axes.text(1, at - 0.22, text, transform=place, ha="right", fontweight=style.bold())
    logarithmic(axes)
    style.rows(axes, [run.mode for run in runs])
    axes.set_xlabel(style.label("room → socket, ms (measured)", "聊天室到套接字，毫秒（实测）"))
    axes.grid(axis="x")
    style.titled(axes, "Delay in the server", "有多快")


def caption(exported: JsonObject) -> str:
    """The caption: where it was measured, how many messages, which students; in a second line since when."""
    meters = exported["meters"]
    handed = sum(both["receive"]["messages"] for both in meters["techniques"].values())
    crew, since = exported["crew"], datetime.fromtimestamp(meters["since"]).astimezone()
    words = [
        style.both("Measured at the server's socket", "在服务器套接字实测"),
        f"since {since:%Y-%m-%d %H:%M:%S %z}, for {seconds(exported['taken'] - meters['since'])}",
        f"{count(handed)} messages delivered" if handed else "not measured: nothing was delivered",
    ]
    if exported["simulated"]:
        link = f", simulated round trip {crew['rtt_ms']:g} ms" if crew["rtt_ms"] else ""
        words.append(f"with simulated students, {crew['each']} each{link}")
    return " · ".join(words[:1] + words[2:]) + "\n" + words[1]
