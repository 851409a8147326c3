"""How late messages arrive: the slowest hundredth of a room of 500, and of thousands beside the floor."""

import gc
import sys
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from tests.benchmarks.cell import Cell, interleaved
from tests.benchmarks.in_c import missing
from tests.benchmarks.load import STREAMS
from tests.benchmarks.machine import Stopwatch
from tests.benchmarks.table import Row, milliseconds, ratio

FLOOR = "C floor"
IN_A_ROUND = 5
"""Messages, at one a second."""


class Goal(NamedTuple):
    """So many listeners by one technique: the most that p99 may be, in seconds and times the floor's."""

    mode: str
    listeners: int
    most_s: float
    most_times: float | None = None


GOALS = (
    Goal("websocket", 5000, 0.1),
    Goal("longpoll", 5000, 0.25),
    Goal("websocket", 10_000, 0.2, 2.0),
)


def p99(latencies):
    """The 99th percentile; None when there are none."""
    return latencies[int(0.99 * len(latencies))] if latencies else None


def delivery(stack, rounds):
    """How late the slowest hundredth receives, at 10 messages a second."""
    rows, words = [], (*STREAMS, "longpoll")
    cells = [Cell(stack, kind, mode) for mode in words for kind in ("lab", "tornado")]
    cells.append(Cell(stack, "epoll", "websocket"))
    found, _ = interleaved(cells, max(3, rounds // 2), lambda c: (p99(c.listeners.keep_time(10, 30)), 0))
    for mode in words:
        lab, plain = found[f"lab {mode}"], found[f"tornado {mode}"]
        most = 1 / 3 if mode == "websocket" else 1.0
        share = ratio(found, f"lab {mode}", f"tornado {mode}")
        text = f"{milliseconds(median(lab))} / {milliseconds(median(plain))} = {share:.2f}"
        what = f"p99 delivery, 10 messages/s × 500, lab / tornado, {mode}"
        rows.append(Row(what, f"≤ {most:.2f}", text, share <= most, {"lab_s": lab, "tornado_s": plain}))
    floor = f"{ratio(found, 'epoll websocket', 'tornado websocket'):.2f}"
    return [*rows, Row("the same, epoll / tornado, websocket: the floor", "", floor, None, {})]


def many(stack, rounds):
    """Thousands of listeners at one message a second, by the lab and by the floor in turn."""
    reason = missing(FLOOR)
    kinds = ["lab"] if reason else ["lab", FLOOR]
    rows = [Row(f"{FLOOR}: left out", "", reason, None, {})] if reason else []
    return rows + [row for goal in GOALS for row in crowd(kinds, max(2, rounds // 3), goal)]


def crowd(kinds, rounds, goal):
    """The rows of one number of listeners. They connect again in each round, for there are not files enough
    to keep two crowds of ten thousand."""
    found = {kind: Late(kind) for kind in kinds}
    for _ in range(rounds):
        for late in found.values():
            with ExitStack() as stack:
                late.one_round(Cell(stack, late.kind, goal.mode, goal.listeners))
        print(".", end="", file=sys.stderr, flush=True)
    yield verdict(goal, found["lab"])
    if FLOOR in found:
        yield found[FLOOR].row(goal)
        yield beside(goal, found["lab"], found[FLOOR])


class Late:
    """What was late at one server, and what a message cost it and the load, over some rounds."""

    def __init__(self, kind):
        self.kind = kind
        self.latencies, self.p99s, self.lost = [], [], 0
        self.server_s, self.load_s = [], []

    def one_round(self, cell):
        """Some messages, one a second, at a server that has nothing else to do when the first one comes."""
        gc.collect()
        cell.listeners.one_by_one(2)
        cell.server.rest()  # else it may still be busy with the requests that followed these two
        with Stopwatch(cell.server.pid) as watch:
            latencies = cell.listeners.keep_time(1, IN_A_ROUND)
        self.latencies += latencies
        self.p99s.append(p99(latencies) or float("inf"))
        self.lost += IN_A_ROUND * len(cell.listeners.sockets) - len(latencies)
        self.server_s.append(watch.server_s / IN_A_ROUND)
        self.load_s.append(watch.own_s / IN_A_ROUND)

    @property
    def p99(self):
        """Over all rounds."""
        return p99(sorted(self.latencies))

    def row(self, goal):
        """The figures of this server; each second has one message, and so much work of either process."""
        times = f"p99 {milliseconds(self.p99)}, p50 {milliseconds(median(self.latencies or [0.0]))}"
        work = f"{milliseconds(median(self.server_s))} of the server, {milliseconds(median(self.load_s))}"
        text = f"{self.lost} lost, {times}; a message takes {work} of the load"
        what = f"{goal.listeners:,} {goal.mode} listeners, 1 message/s, {self.kind}"
        figures = {"lost": self.lost, "p99_s": self.p99s, "server_s": self.server_s, "load_s": self.load_s}
        return Row(what, "", text, None, figures)


def verdict(goal, late):
    """The lab's row, with its goal."""
    met = not late.lost and late.p99 <= goal.most_s
    return late.row(goal)._replace(goal=f"nothing lost, p99 ≤ {1000 * goal.most_s:.0f} ms", met=met)


def beside(goal, lab, floor):
    """The lab's p99 divided by the floor's of the same round."""
    times = median(one / other for one, other in zip(lab.p99s, floor.p99s, strict=True))
    most = goal.most_times
    what = f"{goal.listeners:,} {goal.mode} listeners, p99, lab / {FLOOR}"
    good = None if most is None else times <= most
    return Row(what, f"≤ {most:g}" if most else "", f"{times:.2f}", good, {"times": times})
