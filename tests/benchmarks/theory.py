"""Theory against measurement with many listeners on this machine, over real sockets, without a slow link.

    python -m tests.benchmarks.theory                       56 cells, about half an hour
    python -m tests.benchmarks.theory --only longpoll 300      cells that are all of this
    python -m tests.benchmarks.theory --messages 200        longer, and by chance less far off

Each cell is one technique with N listeners at one load: the rate is chosen so that messages keep the slower
of the two processes busy for that share of the time, by a calibration just before. A figure that is further
off than its goal is marked with ✗. The machine must have nothing else to do: another program takes the
processor from the lab or from the clients, and every latency shows it. The load of the machine is in the
table's first line. Ctrl-C ends it with what there is.
"""

import argparse
import asyncio
import os
import sys
import time
from itertools import product
from typing import NamedTuple

from lab.catalogue import MODES, TECHNIQUES
from lab.experiment.conditions import Conditions
from lab.experiment.exchange import exchange
from lab.experiment.measure import Target, measure
from tests.benchmarks.machine import description

LISTENERS = (1, 20, 100, 300)
LOADS = (0.2, 0.6)
MOST_RATE = 20.0
LONGEST_S = 60.0
SHORT_POLL_RATE = 5.0
GOALS = {"requests": 0.05, "bytes": 0.02, "latency_mean_s": 0.15}
HEAD = (
    "| N | ρ | rate | technique | requests: theory | measured | off | bytes: theory | measured | off"
    " | latency, ms: theory | measured | off | clients' own, ms: theory | measured |"
)


class Cell(NamedTuple):
    """One technique, so many listeners, one load."""

    listeners: int
    load: float
    mode: str

    def __str__(self):
        return f"{self.listeners} {self.load:g} {self.mode}"


def rate(cell, weights):
    """Messages per second that make this load."""
    if TECHNIQUES[cell.mode].verb == "ask":
        return SHORT_POLL_RATE * cell.load
    service = weights.work.service(cell.listeners)
    return min(MOST_RATE * cell.load, cell.load / service if service else MOST_RATE)


async def one(cell, messages):
    """Measure one cell."""
    weights = await exchange(cell.mode, Conditions(clients=cell.listeners))
    per_s = round(rate(cell, weights), 3)
    seconds = max(3.0, min(LONGEST_S, messages / per_s))
    conditions = Conditions(clients=cell.listeners, rate=per_s, duration=seconds)
    run = await measure(cell.mode, conditions, Target(), 1, asyncio.Event(), lambda share, text: None)
    return per_s, run


def line(cell, per_s, run):
    """The cell as a line of the table, and whether every figure is near enough."""
    measured = {"requests": run.receive["requests"], "bytes": run.socket_bytes}
    measured["latency_mean_s"] = run.latency_s["mean"]
    cells, good = [f"{cell.listeners}", f"{cell.load:g}", f"{per_s:g}/s", cell.mode], []
    for name, goal in GOALS.items():
        scale, predicted = (1000 if name.endswith("_s") else 1), run.predicted[name]
        off = measured[name] / predicted - 1 if predicted else float("nan")
        good.append(abs(off) <= goal)
        cells += [f"{scale * (predicted or 0):,.1f}", f"{scale * measured[name]:,.1f}"]
        cells.append(f"{off:+.1%}{'' if good[-1] else ' ✗'}")
    own = run.predicted["latency_clients_s"], run.fleet.get("latency_mean_s")
    cells += ["–" if value is None else f"{1000 * value:.1f}" for value in own]
    return f"| {' | '.join(cells)} |", good


def main():
    """Print the grid; the exit code says whether every figure was near enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="such as longpoll, 300 or 0.6")
    options = parser.parse_args()
    cells = [Cell(*three) for three in product(LISTENERS, LOADS, MODES)]
    cells = [cell for cell in cells if all(word in str(cell).split() for word in options.only)]
    print(f"{description()}; load of the machine {os.getloadavg()[0]:.1f}; {time.strftime('%H:%M')}\n")
    print(f"{HEAD}\n|{'---|' * 15}", flush=True)
    judged = []
    try:
        for cell in cells:
            per_s, run = asyncio.run(one(cell, options.messages))
            text, good = line(cell, per_s, run)
            judged.append(good)
            print(text, flush=True)
    except KeyboardInterrupt:
        print("PARTIAL")
    within = [sum(good) for good in zip(*judged, strict=True)]
    print("\n" + "; ".join(f"{name} {n} of {len(judged)}" for name, n in zip(GOALS, within, strict=True)))
    return 0 if len(judged) == len(cells) and all(map(all, judged)) else 1


if __name__ == "__main__":
    sys.exit(main())
