"""What a second lab gives, and what the nginx before the labs costs, as ratios of one run.

    python -m tests.benchmarks.labs            three techniques, two minutes
    python -m tests.benchmarks.labs --quick    from fewer rounds

One lab alone, one lab behind nginx and two labs behind nginx stand ready at once, each lab on a core of its
own, and are measured in turn, round by round. The load and nginx share the same cores, so the rate on the
clock says what this machine does; the processor time of the busiest lab says what the labs themselves could.
"""

import argparse
import asyncio
import gc
import os
import sys
import uuid
from statistics import median

from lab.labs.several import Plan, several
from tests.benchmarks.load import Listeners
from tests.benchmarks.machine import BOTH, Stopwatch, below, cpu_s, description, raise_limits
from tests.benchmarks.table import Row, markdown, ratio

QUICK, FULL = 3, 9
LISTENERS = 200
MESSAGES, ANSWERS = 25, 3000
"""Of a round: messages to all listeners, or answers of short polls."""
MODES = ("websocket", "longpoll", "shortpoll")
ALONE, BEHIND, TWO = "one lab", "one behind nginx", "two behind nginx"


class Setup:
    """Some labs, at the port that the load uses, and the processes whose time is counted."""

    def __init__(self, name, labs, port):
        self.name, self.port = name, port
        self.labs = [lab.process.pid for lab in labs.labs]
        self.nginx = [] if name == ALONE else below(labs.nginx.pid)
        self.rounds = {"rate": [], "busiest": [], "labs": [], "nginx": [], "load": []}

    def measure(self, listeners):
        """One round: deliveries, or answers, per second, and processor time for each of them."""
        before = [[cpu_s(pid) for pid in pids] for pids in (self.labs, self.nginx)]
        with Stopwatch(os.getpid()) as watch:
            count = (
                listeners.answers(ANSWERS)
                if listeners.mode == "shortpoll"
                else listeners.one_by_one(MESSAGES)
            )
        labs, nginx = (
            [cpu_s(pid) - earlier for pid, earlier in zip(pids, times, strict=True)]
            for pids, times in zip((self.labs, self.nginx), before, strict=True)
        )
        figures = {"busiest": max(labs), "labs": sum(labs), "nginx": sum(nginx), "load": watch.own_s}
        for name, seconds in figures.items():
            self.rounds[name].append(seconds / count)
        self.rounds["rate"].append(count / watch.wall_s)


def plan(labs):
    """Labs with a Redis and a room of their own, and no limits."""
    limits = {"rate": 0, "per_address": 0}
    return Plan(labs, {"redis": "private", "room": f"run-{uuid.uuid4().hex}", "limits": limits})


async def measured(rounds):
    """The rows of all techniques."""
    async with several(plan(1)) as one, several(plan(2)) as two:
        for labs in (one, two):
            for number, lab in enumerate(labs.labs):
                os.sched_setaffinity(lab.process.pid, {sorted(BOTH)[number % len(BOTH)]})
        return [row for mode in MODES for row in rows(mode, one, two, rounds)]


def rows(mode, one, two, rounds):
    """The rows of one technique. The event loop waits meanwhile: the labs have their own."""
    setups = [
        Setup(ALONE, one, one.labs[0].port),
        Setup(BEHIND, one, one.proxy["port"]),
        Setup(TWO, two, two.proxy["port"]),
    ]
    for number in range(rounds + 1):
        for setup in setups:
            listeners = Listeners(mode, {"port": setup.port}, LISTENERS)
            setup.measure(listeners)
            listeners.close()
        print(".", end="", file=sys.stderr, flush=True)
        if not number:  # the first round warms up
            for setup in setups:
                setup.rounds = {name: [] for name in setup.rounds}
    return list(compared(mode, {setup.name: setup.rounds for setup in setups}))


def compared(mode, found):
    """What is said of one technique."""

    def of(name):
        return {setup: rounds[name] for setup, rounds in found.items()}

    def row(what, figure):
        return Row(f"{mode}: {what}", "", figure, None, found)

    yield row("rate, two behind nginx / one behind nginx", f"{ratio(of('rate'), TWO, BEHIND):.2f}")
    yield row("rate, two behind nginx / one alone", f"{ratio(of('rate'), TWO, ALONE):.2f}")
    yield row("rate, one behind nginx / one alone", f"{ratio(of('rate'), BEHIND, ALONE):.2f}")
    yield row("time of the busiest lab, two / one alone", f"{ratio(of('busiest'), TWO, ALONE):.2f}")
    cost = median(n / lab for n, lab in zip(found[TWO]["nginx"], found[TWO]["labs"], strict=True))
    yield row("time of nginx / of the two labs behind it", f"{cost:.2f}")
    own = median(load * rate for load, rate in zip(found[TWO]["load"], found[TWO]["rate"], strict=True))
    yield row("share of a core that the load took, with two labs", f"{100 * own:.0f} %")


def main():
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    raise_limits()
    gc.disable()
    found = asyncio.run(measured(QUICK if options.quick else FULL))
    load = " ".join(f"{part:.1f}" for part in os.getloadavg())
    print(markdown(found, f"{description()}; load average at the end {load}; {LISTENERS} clients"))


if __name__ == "__main__":
    main()
