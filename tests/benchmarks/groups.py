"""The groups of rows: which servers stand side by side, and what is asked of them."""

import os
import socket
import subprocess
import sys
import time
from statistics import median

from tests.benchmarks.cell import Cell, busiest, interleaved
from tests.benchmarks.lateness import delivery, many
from tests.benchmarks.load import STREAMS, head
from tests.benchmarks.machine import BOTH, ROOT, resident
from tests.benchmarks.servers import at_most, servers
from tests.benchmarks.table import Row, microseconds, ratio

SIZES = (500, 1000, 2000, 4000)


def fan_out(stack, rounds):
    """Streams: processor time of the server per delivery."""
    kinds = [("lab", mode) for mode in STREAMS] + [("tornado", mode) for mode in STREAMS]
    kinds += [("websockets", "websocket"), ("epoll", "websocket")]
    cells = [Cell(stack, kind, mode) for kind, mode in kinds]
    costs, shares = interleaved(cells, rounds, Cell.fan_out)
    rows = [Row(f"CPU per delivery, {n}", "", microseconds(c), None, {"s": c}) for n, c in costs.items()]
    goals = [("lab websocket", "tornado websocket", 0.25), ("lab websocket", "websockets websocket", 0.95)]
    goals += [(f"lab {mode}", f"tornado {mode}", 1 / 1.6) for mode in ("sse", "iframe")]
    goals += [(f"lab {mode}", "lab websocket", 1.25) for mode in ("sse", "iframe")]
    floor = f"{ratio(costs, 'epoll websocket', 'tornado websocket'):.2f}"
    rows.append(Row("epoll websocket / tornado websocket: the floor", "", floor, None, {}))
    return [*rows, *(at_most(costs, *goal) for goal in goals), busiest(shares)]


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
    "servers": servers,
    "fan-out": fan_out,
    "metering": metering,
    "delivery": delivery,
    "many": many,
    "doubling": doubling,
    "idle": idle,
    "start": start,
}
