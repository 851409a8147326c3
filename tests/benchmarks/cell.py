"""One server with its listeners, and how several of them are measured in turn."""

import gc
import json
import sys
from statistics import median

from tests.benchmarks.in_c import Nchan, floor
from tests.benchmarks.load import Listeners
from tests.benchmarks.machine import Server, Stopwatch
from tests.benchmarks.table import Row

KEPT_S = 3600.0
"""How long a server keeps a connection while others have their turn."""
UNLIMITED = {"rate": 0, "per_address": 0, "connections": 0}
SETTINGS = json.dumps({"port": 0, "redis": "private", "limits": UNLIMITED, "idle": KEPT_S})
MODULES = {"lab": ("lab.server", SETTINGS), "unmetered": ("tests.benchmarks.unmetered", SETTINGS)}
IN_C = {"C floor": floor, "Nchan": Nchan}
LISTENERS = 500
MESSAGES = 20
"""In one round of one server; all servers have had theirs before the next round."""


def started(stack, kind):
    """A server of this kind."""
    if kind in IN_C:
        return IN_C[kind](stack)
    module = MODULES.get(kind, ("tests.benchmarks.baselines", kind))
    return Server(sys.executable, "-m", *module, quiet=kind != "lab")


class Cell:
    """One server with its listeners."""

    def __init__(self, stack, kind, mode, listeners=LISTENERS):
        self.kind, self.mode = kind, mode
        self.name = f"{kind} {mode}"
        self.server = started(stack, kind)
        stack.callback(self.server.stop)
        self.listeners = Listeners(mode, self.server.greeting, listeners)
        stack.callback(self.listeners.close)
        if mode != "shortpoll":
            self.server.rest()

    def cost(self, work, *arguments):
        """Server seconds per delivery (or answer), and the share of a core that the load itself needed."""
        with Stopwatch(self.server.pid) as watch:
            try:
                done = work(*arguments)
            except ConnectionError as error:
                raise ConnectionError(f"{self.kind}: {error}") from error
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

    def work(self):
        """What one delivery costs; of short polls, what one answer without a message does."""
        return self.ask() if self.mode == "shortpoll" else self.fan_out()


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
