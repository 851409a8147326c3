"""What the report says, in English and Chinese, and its first sentence: the answer."""

import re
from collections.abc import Callable, Sequence

from lab.catalogue import TECHNIQUES
from lab.json_types import JsonObject
from lab.results.format import count, seconds
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run
from lab.results.table import conditions, verdicts

TEXTS = {
    "title": ("Push techniques, measured", "推送方式实测"),
    "measured": ("Measured", "实测"),
    "measured.about": (
        "Medians over the rounds ({rounds}). Bytes are counted at the server's socket, both ways, and "
        "divided by the delivered messages; over = all bytes / payload. Latency: planned send → arrival in "
        "the client.",
        "{rounds} 轮的中位数。字节在服务器套接字上双向计数，再除以送达的消息数；倍数 = 全部字节 ÷ 有效载荷。"
        "延迟：从计划发送到客户端收到。",
    ),
    "theory": ("Theory and measurement", "理论与实测"),
    "theory.about": (
        "Theory is in closed forms; the bytes and the time of one exchange were measured beforehand, "
        "with more than 4 listeners also what each of them costs. The simulated clients' own work is "
        "part of the latency.",
        "理论值由公式算出；一次交换的字节数与时间事先测得，接收端多于 4 个时还测得每个接收端的开销。"
        "模拟客户端自身的处理时间也计入延迟。",
    ),
    "figures": ("In detail", "详细图表"),
    "conditions": ("Conditions", "条件"),
    "technique": ("technique", "方式"),
    "requests": ("requests", "请求"),
    "empty": ("empty", "空响应"),
    "each": ("bytes per delivered message", "每条送达消息的字节数"),
    "head": ("head", "头部"),
    "framing": ("framing", "封装"),
    "payload": ("payload", "有效载荷"),
    "over": ("over", "倍数"),
    "latency": ("latency", "延迟"),
    "longest": ("max", "最长"),
    "cpu": ("CPU each", "每条 CPU"),
    "bytes": ("bytes, both ways", "双向字节数"),
    "mean": ("mean latency", "平均延迟"),
    "own": ("of it the clients' own work", "其中客户端自身"),
    "predicted": ("theory", "理论"),
    "got": ("measured", "实测"),
    "off": ("off", "相差"),
    "share": ("share", "占比"),
    "clean": (
        "Nothing lost, doubled or out of order in {deliveries} deliveries.",
        "共送达 {deliveries} 次，没有丢失、重复或乱序。",
    ),
    "answer.one": (
        "{mode} moved {least} bytes for each message, {times} times the {own} bytes of the message itself, "
        "and delivered it after {soonest} on average.",
        "{mode}每送达一条消息用了 {least} 字节，是消息本身 {own} 字节的 {times} 倍，平均 {soonest} 后送达。",
    ),
    "answer.many": (
        "For each message {cheap} moved {least} bytes, the fewest, and {dear} {most}, the most; "
        "the mean delay was from {soonest} ({first}) to {latest} ({last}).",
        "每送达一条消息，{cheap}用的字节最少（{least}），{dear}最多（{most}）；"
        "平均延迟从 {soonest}（{first}）到 {latest}（{last}）。",
    ),
    "answer.none": ("No message was delivered.", "没有送达任何消息。"),
    "rate": (
        "Bytes for a message, and its delay, against the rate. Lines: theory from one measured exchange. "
        "Dots: measured, without setting up the connections.",
        "每条消息的字节数与延迟随消息频率的变化。线：由一次实测的交换按理论算出。圆点：实测，不含建立连接的字节。",
    ),
    "overhead": (
        "Measured: bytes at the server's socket per delivered message, setting up the connections included.",
        "实测：服务器套接字上每条送达消息的字节数，包含建立连接。",
    ),
    "answers": ("Measured: all requests, the empty ones hatched.", "实测：全部请求，斜线为空响应。"),
    "spread": ("Measured: share of deliveries that took at most so long.", "实测：在此时间内送达的比例。"),
    "prediction": ("Rings: theory. Letters: measured.", "圆圈：理论。字母：实测。"),
    "ladder": (
        "Theory, with the times of these runs: how a message goes from the server to a listener.",
        "理论示意图，时间取自本次测量：一条消息怎样从服务器到达接收端。",
    ),
    "conditions.line": (
        "",
        "{clients} 个客户端 · 每秒 {rate:g} 条消息（{arrivals}） · {duration_s:g} 秒 · {payload} 个字符 · "
        "头部：{headers} · 短轮询间隔 {interval_s:g} 秒 · 轮询保持 {hold_s:g} 秒 · "
        "{link} · {rounds} 轮 · 种子 {seed}",
    ),
}
"""English and Chinese."""
VALUES_ZH = {"poisson": "泊松", "periodic": "等间隔", "browser": "浏览器", "bare": "最少"}


class Say:
    """The report's texts in one language, "en" or "zh"."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """A text, with its values."""
        return TEXTS[key][self.language == "zh"].format(**values)

    def mode(self, mode: str) -> str:
        """A technique's title."""
        technique = TECHNIQUES[mode]
        return technique.title_zh if self.language == "zh" else technique.title


def answer(runs: Sequence[Run], say: Say) -> str:
    """The result in one sentence: the fewest and the most bytes for a message, and the delays."""
    each = _known(runs, lambda run: run.per_delivery(run.socket_bytes))
    late = _known(runs, lambda run: run.latency_s["mean"])
    if not each or not late:
        return say("answer.none")
    cheap, dear = min(each, key=each.__getitem__), max(each, key=each.__getitem__)
    first, last = min(late, key=late.__getitem__), max(late, key=late.__getitem__)
    own = _known(runs, lambda run: run.per_delivery(run.receive["payload_bytes"]))
    times = f"{each[cheap] / own[cheap]:.1f}" if own.get(cheap) else "?"
    names = {"cheap": cheap, "dear": dear, "first": first, "last": last, "mode": cheap}
    text = say(
        "answer.many" if len(each) > 1 else "answer.one",
        least=count(each[cheap]),
        most=count(each[dear]),
        soonest=_apart(seconds(late[first])),
        latest=_apart(seconds(late[last])),
        own=count(own.get(cheap)),
        times=times,
        **{name: say.mode(mode) for name, mode in names.items()},
    )
    return text[0].upper() + text[1:]


def _apart(text: str) -> str:
    """A time with a space before its unit, as in a sentence."""
    return re.sub(r"(\d)(\D+)$", r"\1 \2", text)


def _known(runs: Sequence[Run], figure: Callable[[Run], float | None]) -> dict[str, float]:
    """A figure of each technique that has it."""
    found = {mode: median_over_rounds(rounds, figure) for mode, rounds in by_mode(runs).items()}
    return {mode: value for mode, value in found.items() if value is not None}


def conditions_line(run: Run, say: Say) -> str:
    """All conditions in one line."""
    if say.language == "en":
        return " ".join(conditions(run).split())
    values: JsonObject = {name: VALUES_ZH.get(str(value), value) for name, value in run.conditions.items()}
    trip = run.conditions["rtt_s"]
    link = f"往返 {1000 * trip:g} 毫秒" if trip else "本机回环"
    return say("conditions.line", **(values | {"link": link}))


def verdict_lines(runs: Sequence[Run], say: Say) -> list[str]:
    """Whether all messages arrived; what went wrong is said as in the terminal."""
    if all(run.clean and not run.missing and not run.partial and not run.refused for run in runs):
        return [say("clean", deliveries=count(sum(run.delivered for run in runs)))]
    return verdicts(runs)
