"""The prediction of a capacity beside its measurement: at which rate does p99 leave one second?

    python -m tests.benchmarks.capacity                          three techniques, about eight minutes
    python -m tests.benchmarks.capacity --only websocket --seconds 6 --listeners 100

Two runs at a small load give what a message costs the server and the simulated clients: the difference of
their processor times, divided by the difference of their messages. The slower of the two processes governs,
and the table names it: where it is the clients, the limit is theirs and not the lab's. A queue with that
service time, fed with the timetable of a run, gives the p99 of that run before it is made, and so the rate at
which it leaves one second. Then runs at rates around it look for the same rate.

A long poll takes all that waits with one answer, so its p99 has an upper bound, two passes over the
listeners. Where that is below one second there is no such rate: then one run at twice the rate that would
fill a stream checks that p99 stays below.

Short polls are not in the table: their p99 is one second by their timer. The machine must have nothing else
to do, and three cores: server, clients, publisher and Redis share two otherwise. The goal is 20 %.
"""

import argparse
import os
import sys
import time
from itertools import pairwise
from typing import NamedTuple

import lab
from lab.catalogue import TECHNIQUES
from lab.experiment.conditions import MOST_MESSAGES, Conditions
from lab.experiment.timetable import timetable
from tests.benchmarks.machine import description

MODES = ("websocket", "sse", "longpoll")
LIMIT_S, GOAL = 1.0, 0.2
SLOW, FAST = 1.0, 4.0
"""Messages per second of the two runs at a small load."""
SMALL_S = 10.0
SHARES = [(k + 0.5) / 20 for k in range(20)]
"""Places among the listeners whose delay is looked at."""
HALVINGS, STEPS = 30, 6
HEAD = (
    "| technique | server, ms a message | clients, ms | slower | p99 = 1 s predicted, messages/s | measured"
    " | measured / predicted |"
)


class Costs(NamedTuple):
    """Seconds of a processor for one message to all listeners, of each of the two processes."""

    server: float
    clients: float

    @property
    def service(self):
        """How long a message keeps the slower one busy."""
        return max(self.server, self.clients)

    @property
    def slower(self):
        """Which one that is."""
        return "server" if self.server >= self.clients else "clients"


def costs(mode, listeners):
    """What a message costs, from two runs at a small load."""
    few, many = (lab.measure(mode, clients=listeners, rate=rate, duration=SMALL_S) for rate in (SLOW, FAST))
    more = many.sent - few.sent
    return Costs((many.server_cpu_s - few.server_cpu_s) / more, (own(many) - own(few)) / more)


def own(run):
    """Processor seconds of the simulated clients: of the process that used most."""
    return max(load["cpu_share"] for load in run.fleet["processes"]) * run.series[-1]["t_s"]


def p99(mode, service, times):
    """The p99 of a queue with this service time and these arrivals."""
    passes = merged(service, times) if TECHNIQUES[mode].verb == "wait" else in_turn(service, times)
    delays = sorted(start + share * service - at for at, start in passes for share in SHARES)
    return delays[int(0.99 * (len(delays) - 1))]


def in_turn(service, times):
    """When each message is begun: one after the other."""
    free = 0.0
    for at in times:
        start = max(at, free)
        free = start + service
        yield at, start


def merged(service, times):
    """The same of long polls: a pass over the listeners takes all messages that wait when it begins."""
    start = free = 0.0
    for at in times:
        if at > start:
            start = max(at, free)
            free = start + service
        yield at, start


def conditions(listeners, rate, seconds):
    """A run at this rate, no longer than the timetable may be."""
    return {"clients": listeners, "rate": rate, "duration": min(seconds, MOST_MESSAGES / rate)}


def predicted(mode, service, listeners, seconds):
    """The rate at which p99 leaves the limit, or None where it stays below at any rate."""
    low, high = 0.1 / service, 4 / service
    if queue_p99(mode, service, listeners, high, seconds) <= LIMIT_S:
        return None
    for _ in range(HALVINGS):
        between = (low * high) ** 0.5
        late = queue_p99(mode, service, listeners, between, seconds) > LIMIT_S
        low, high = (low, between) if late else (between, high)
    return low


def queue_p99(mode, service, listeners, rate, seconds):
    """The predicted p99 of a run at this rate."""
    planned = timetable(Conditions(**conditions(listeners, rate, seconds)))
    return p99(mode, service, [message.at for message in planned])


def found(mode, listeners, start, seconds):
    """The rate at which the measured p99 leaves the limit: between two rates at most a tenth apart."""
    late = {}

    def at(rate):
        run = lab.measure(mode, **conditions(listeners, rate, seconds))
        late[rate] = run.latency_s["p99"] > LIMIT_S
        print(f"  {mode} {rate:.1f}/s: p99 {run.latency_s['p99']:.3f} s", file=sys.stderr, flush=True)
        return late[rate]

    step = 1 / 1.25 if at(start) else 1.25
    rate = start
    for _ in range(STEPS):
        rate *= step
        if at(rate) != late[start]:
            break
    else:
        return None
    edge = next(pair for pair in pairwise(sorted(late)) if late[pair[0]] != late[pair[1]])
    middle = (edge[0] * edge[1]) ** 0.5
    low, high = (edge[0], middle) if at(middle) else (middle, edge[1])
    return (low * high) ** 0.5


def line(mode, listeners, seconds):
    """One technique as a line of the table, and whether the goal is met."""
    cost = costs(mode, listeners)
    rate = predicted(mode, cost.service, listeners, seconds)
    cells = [mode, f"{1000 * cost.server:.2f}", f"{1000 * cost.clients:.2f}", cost.slower]
    if rate is None:
        run = lab.measure(mode, **conditions(listeners, 2 / cost.service, seconds))
        good = run.latency_s["p99"] <= LIMIT_S
        cells += ["none", f"p99 {run.latency_s['p99']:.2f} s at {2 / cost.service:.1f}/s", ""]
    else:
        measured = found(mode, listeners, rate, seconds)
        good = measured is not None and abs(measured / rate - 1) <= GOAL
        shown = ["far off", ""] if measured is None else [f"{measured:.1f}", f"{measured / rate:.2f}"]
        cells += [f"{rate:.1f}", *shown]
    return f"| {' | '.join(cells)} |{'' if good else ' ✗'}", good


def main():
    """Print the table; the exit code says whether every goal was met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listeners", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--only", nargs="+", default=MODES, choices=MODES)
    options = parser.parse_args()
    machine = f"{description()}; load of the machine {os.getloadavg()[0]:.1f}; {time.strftime('%H:%M')}"
    print(f"{machine}; {options.listeners} listeners\n\n{HEAD}\n|{'---|' * 7}", flush=True)
    all_good = []
    for mode in options.only:
        text, good = line(mode, options.listeners, options.seconds)
        all_good.append(good)
        print(text, flush=True)
    return 0 if all(all_good) else 1


if __name__ == "__main__":
    sys.exit(main())
