"""The groups of rows: which servers stand side by side, and what is asked of them."""

import gc
import json
import os
import socket
import subprocess
import sys
import time
from statistics import median

from tests.benchmarks.load import Listeners, head
from tests.benchmarks.machine import BOTH, ROOT, Server, Stopwatch, resident
from tests.benchmarks.table import Row, microseconds, milliseconds, ratio

UNLIMITED = {"rate": 0, "per_address": 0, "connections": 0}
SETTINGS = json.dumps({"port": 0, "redis": "private", "limits": UNLIMITED})
MODULES = {"lab": ("lab.server", SETTINGS), "unmetered": ("tests.benchmarks.unmetered", SETTINGS)}
LISTENERS = 500
MESSAGES = 20
"""In one round of one server; all servers have had theirs before the next round."""
SIZES = (500, 1000, 2000, 4000)
STREAMS = ("websocket", "sse", "iframe")


class Cell:
    """One server with its listeners."""

    def __init__(self, stack, kind, mode, listeners=LISTENERS):
        self.name = f"{kind} {mode}"
        self.mode = mode
        self.server = Server(*MODULES.get(kind, ("tests.benchmarks.baselines", kind)))
        stack.callback(self.server.stop)
        self.listeners = Listeners(mode, self.server.greeting, listeners)
        stack.callback(self.listeners.close)
        if mode != "shortpoll":
            self.server.rest()

    def cost(self, work, *arguments):
        """Server seconds per delivery (or answer), and the share of a core that the load itself needed."""
        with Stopwatch(self.server.pid) as watch:
            done = work(*arguments)
        return watch.server_s / done, watch.own_s / watch.wall_s

    def fan_out(self):
        """What one delivery costs when messages come one by one."""
        return self.cost(self.listeners.one_by_one, MESSAGES)

    def spread(self):
        """The same with as many deliveries for every number of listeners."""
        return self.cost(
            self.listeners.one_by_one, max(2, MESSAGES * LISTENERS // len(self.listeners.sockets) // 2)
        )

    def ask(self):
        """What one short poll costs."""
        return self.cost(self.listeners.answers, MESSAGES * LISTENERS // 4)


def interleaved(cells, rounds, measure):
    """Measure all in turn, round by round; a first round warms up. Returns costs and shares by name."""
    costs = {cell.name: [] for cell in cells}
    shares = {cell.name: [] for cell in cells}
    for number in range(rounds + 1):
        for cell in cells:
            cost, share = measure(cell)
            if number:
                costs[cell.name].append(cost)
                shares[cell.name].append(share)
        gc.collect()
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return costs, shares


def busiest(shares):
    """What share of its core the load needed, at the most, as a footnote."""
    most = max(median(each) for each in shares.values())
    return Row("the load's own share of its core, at the most", "", f"{most:.0%}", None, {"shares": shares})


def fan_out(stack, rounds):
    """Streams: processor time of the server per delivery."""
    kinds = [("lab", mode) for mode in STREAMS] + [("tornado", mode) for mode in STREAMS]
    kinds += [("websockets", "websocket"), ("aiohttp", "websocket"), ("epoll", "websocket")]
    cells = [Cell(stack, kind, mode) for kind, mode in kinds]
    costs, shares = interleaved(cells, rounds, Cell.fan_out)
    rows = [Row(f"CPU per delivery, {n}", "", microseconds(c), None, {"s": c}) for n, c in costs.items()]
    goals = [("lab websocket", "tornado websocket", 0.25), ("lab websocket", "websockets websocket", 0.95)]
    goals += [(f"lab {mode}", f"tornado {mode}", 1 / 1.6) for mode in ("sse", "iframe")]
    goals += [(f"lab {mode}", "lab websocket", 1.25) for mode in ("sse", "iframe")]
    floor = f"{ratio(costs, 'epoll websocket', 'tornado websocket'):.2f}"
    rows.append(Row("epoll websocket / tornado websocket: the floor", "", floor, None, {}))
    return [*rows, *(at_most(costs, *goal) for goal in goals), busiest(shares)]


def at_most(costs, one, other, most):
    """One cost may be at most so many times the other."""
    found = ratio(costs, one, other)
    return Row(f"{one} / {other}", f"≤ {most:.3g}", f"{found:.2f}", found <= most, {"ratio": found})


def metering(stack, rounds):
    """What counting costs: the lab beside itself without it."""
    cells = [Cell(stack, kind, mode) for mode in ("websocket", "longpoll") for kind in ("lab", "unmetered")]
    costs, _ = interleaved(cells, 2 * rounds, Cell.fan_out)
    rows = []
    for mode in ("websocket", "longpoll"):
        found = ratio(costs, f"lab {mode}", f"unmetered {mode}") - 1
        figures = {"share": found, "s": costs}
        rows.append(Row(f"metering, {mode}", "≤ 4 % of throughput", f"{found:+.1%}", found <= 0.04, figures))
    return rows


def polls(stack, rounds):
    """Polls: answers per second of the server's core."""
    rows = []
    for mode, measure, what in (
        ("longpoll", Cell.fan_out, "wake-ups"),
        ("shortpoll", Cell.ask, "answers"),
    ):
        cells = [Cell(stack, kind, mode) for kind in ("lab", "tornado", "delegate")]
        costs, shares = interleaved(cells, rounds, measure)
        for name, each in costs.items():
            rows.append(Row(f"{what} per second, {name}", "", f"{1 / median(each):,.0f}", None, {"s": each}))
        found = ratio(costs, f"tornado {mode}", f"lab {mode}")
        rows.append(Row(f"lab / tornado, {mode}", "≥ 1.3", f"{found:.2f}", found >= 1.3, {"ratio": found}))
        rows.append(busiest(shares))
    return rows


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
    """Thousands of listeners at one message a second."""
    rows = []
    for mode, listeners, most in (
        ("websocket", 5000, 0.1),
        ("longpoll", 5000, 0.5),
        ("websocket", 10_000, 0.2),
    ):
        cell, messages = Cell(stack, "lab", mode, listeners), 10
        gc.collect()
        cell.listeners.one_by_one(2)
        cell.server.rest()  # or the first message finds it busy with the questions that followed the warm-up
        latencies = cell.listeners.keep_time(1, messages)
        lost, late = messages * listeners - len(latencies), p99(latencies)
        text = f"{lost} lost, p99 {milliseconds(late)}, p50 {milliseconds(median(latencies))}"
        goal = f"nothing lost, p99 ≤ {1000 * most:.0f} ms"
        figures = {"lost": lost, "p99_s": late}
        rows.append(
            Row(
                f"{listeners:,} {mode} listeners, 1 message/s", goal, text, not lost and late <= most, figures
            )
        )
        cell.listeners.close()
        cell.server.stop()
    return rows


def doubling(stack, rounds):
    """Whether a delivery costs more when there are more listeners, and whether it must."""
    rows = [grown(stack, rounds, "lab", mode) for mode in (*STREAMS, "longpoll")]
    floor = grown(stack, rounds, "epoll", "websocket")
    return [*rows, floor._replace(what="the same, epoll websocket: the floor", goal="", met=None)]


def grown(stack, rounds, kind, mode):
    """What a delivery costs with ever more listeners."""
    cells = {size: Cell(stack, kind, mode, size) for size in SIZES}
    for size, cell in cells.items():
        cell.name = str(size)
    costs, _ = interleaved(list(cells.values()), max(3, rounds // 2), Cell.spread)
    for cell in cells.values():
        cell.listeners.close()
        cell.server.stop()
    growth = ratio(costs, "4000", "500") - 1
    text = f"{growth:+.0%}: " + " · ".join(f"{1e6 * median(each):.1f}" for each in costs.values()) + " µs"
    what = f"CPU per delivery, 500 → 1,000 → 2,000 → 4,000, {mode}"
    return Row(what, "grows ≤ 15 %", text, growth <= 0.15, {"growth": growth, "s": costs})


def idle(stack, rounds):
    """What a connection costs that only waits."""
    rows = []
    for mode, most in (("websocket", 15), ("sse", 15), ("iframe", 15), ("longpoll", 13)):
        cell, more = Cell(stack, "lab", mode, 300), 2000
        cell.listeners.one_by_one(3)
        time.sleep(0.3)
        before = resident(cell.server.pid)
        cell.listeners.grow(more)
        cell.server.rest()
        found = (resident(cell.server.pid) - before) / more / 1024
        what = f"memory per idle connection, {mode}"
        rows.append(Row(what, f"≤ {most} KiB", f"{found:.1f} KiB", found <= most, {"kib": found}))
        cell.listeners.close()
        cell.server.stop()
    return rows


def first_answer():
    """Seconds from the command to the first answer."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "run_lab.py", "--no-browser", "--redis", "private", "--port", str(port)]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, preexec_fn=everywhere)
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                    head(connection)
                    return time.monotonic() - began
            except ConnectionRefusedError:
                time.sleep(0.005)
    finally:
        process.terminate()
        process.wait()


def everywhere():
    """Run on all cores, as users do."""
    os.sched_setaffinity(0, BOTH)


def start(stack, rounds):
    """The bare command, on a warm machine."""
    first_answer()
    found = sorted(first_answer() for _ in range(max(5, rounds)))
    middle = median(found)
    what = "`run_lab.py --no-browser` to the first answer"
    return [Row(what, "≤ 1 s", f"{middle:.2f} s", middle <= 1, {"s": found})]


GROUPS = {
    "fan-out": fan_out,
    "metering": metering,
    "polls": polls,
    "delivery": delivery,
    "many": many,
    "doubling": doubling,
    "idle": idle,
    "start": start,
}
