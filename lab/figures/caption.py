"""The conditions of runs in one line below a figure, and what a reader who cannot see it is given instead."""

from collections.abc import Sequence
from textwrap import fill

from lab.figures import style
from lab.results.format import bits
from lab.results.runs import Run

SHARE = 0.8
"""Size of the line, as a share of the size of the figure's text."""
CHARACTER, CHINESE = 0.51, 1.0
"""Mean width of a Latin and of a Chinese character, as a share of its size."""
FIRST_WIDE = "\u2e80"
"""From this character on they are as wide as Chinese ones."""


def captioned(figure: style.Sheet, runs: Sequence[Run], shows: str, note: str = "") -> None:
    """Give a figure its line of conditions, and its alternative text: what it shows, and that line."""
    text = note + (" · " if note else "") + conditions(runs)
    size = SHARE * figure.settings["font.size"]
    most = int(72 * figure.get_size_inches()[0] / size / _width(text))
    figure.supxlabel(_lines(text, most), x=0.01, ha="left", fontsize=size, color=style.GREY)
    figure.alt = f"{shows} {' '.join(text.split())}."


def _width(text: str) -> float:
    """The mean width of this text's characters."""
    wide = sum(character >= FIRST_WIDE for character in text) / len(text)
    return CHARACTER + wide * (CHINESE - CHARACTER)


def _lines(text: str, most: int) -> str:
    """The line, or two where it is too long: broken between two conditions only."""
    kept = [part.replace(" ", "\N{NO-BREAK SPACE}") for part in text.split(" · ")]
    return fill(" · ".join(kept), most).replace("\N{NO-BREAK SPACE}", " ")


def conditions(runs: Sequence[Run]) -> str:
    """The conditions that a reader needs, in one line; one in which the runs differ has its range."""
    words = [
        _number(runs, "clients", ("{} listener(s)", "{} 个接收端")),
        _number(runs, "rate", ("{} message(s)/s", "每秒 {} 条消息")),
        _number(runs, "payload", ("{} characters", "{} 个字符")),
        _number(runs, "interval_s", ("poll pause {} s", "轮询间隔 {} 秒"), "shortpoll"),
        *_extra(runs),
        _link(runs),
        _rounds(runs),
    ]
    return " · ".join(filter(None, words))


def _number(runs: Sequence[Run], name: str, words: tuple[str, str], mode: str = "") -> str:
    values = sorted({run.conditions[name] for run in runs if name in run.conditions})
    if not values or (mode and mode not in {run.mode for run in runs}):
        return ""
    text = style.one(*words).replace("(s)", "" if values == [1] else "s")
    low, high = _three_digits(values[0]), _three_digits(values[-1])
    return text.format(low if low == high else style.one(f"{low} to {high}", f"{low}～{high}"))


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _extra(runs: Sequence[Run]) -> list[str]:
    """What is not usual."""
    c = runs[0].conditions
    unusual = {
        style.one("bare headers", "最少的头部"): c.get("headers") == "bare",
        style.one("no keep-alive", "不保持连接"): not c.get("keep_alive", True),
        style.one("compressed", "已压缩"): c.get("compress"),
    }
    return [text for text, there in unusual.items() if there]


def _link(runs: Sequence[Run]) -> str:
    if runs[0].conditions.get("proxy"):
        return f"nginx ({runs[0].conditions['proxy']})"
    if any(run.engine for run in runs):
        return style.one("listeners on other machines", "接收端在其他机器上")
    trips = sorted({1000 * run.conditions["rtt_s"] for run in runs if "rtt_s" in run.conditions})
    if not trips:
        return ""
    width = runs[0].conditions.get("bandwidth")
    rate = f", {bits(width)}" if width else ""
    if not trips[-1]:
        return style.one("loopback", "本机回环") + rate
    both = (
        f"{trips[0]:g}"
        if len(trips) == 1
        else style.one(f"{trips[0]:g} to {trips[-1]:g}", f"{trips[0]:g}～{trips[-1]:g}")
    )
    return style.one(f"{both} ms round trip", f"往返 {both} 毫秒") + rate


def _rounds(runs: Sequence[Run]) -> str:
    rounds = max(run.round for run in runs)
    if rounds == 1:
        return style.one("1 round", "1 轮")
    return style.one(
        f"median of {rounds} rounds, bars: 95 % interval", f"{rounds} 轮的中位数，误差线：95% 区间"
    )
