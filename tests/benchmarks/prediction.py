"""Prediction against measurement, over real sockets: three round trips, three rates, all six techniques.

    python -m tests.benchmarks.prediction                 half an hour, 800 messages a run
    python -m tests.benchmarks.prediction --messages 100  quicker, and by chance further off

Three run at a time, each with a lab, a fleet and a link of its own; on a machine that is
busy otherwise the latencies show it. A figure that is off by more than it should be is marked with ✗.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

import lab
from lab.catalogue import WORDS

RTTS = (0.02, 0.1, 0.3)
RATES = (4, 10, 20)
CLIENTS = 5
AT_ONCE = 3
REQUESTS, BYTES, LATENCY, LATENCY_S = 0.05, 0.02, 0.10, 0.003
"""Most that a figure may be off: shares of the prediction, and for the latency 3 ms if that is more."""


def cell(rtt, rate, messages):
    """All six under the same conditions."""
    conditions = {"clients": CLIENTS, "rtt": rtt, "rate": rate, "duration": messages / rate}

    def measure(number):
        """Each with a timetable of its own: at the same moments all would want the processor at once."""
        return lab.measure(WORDS[number], seed=number + 1, **conditions)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(measure, range(len(WORDS))))


def verdict(run):
    """The three figures with how far off they are, and whether that is near enough."""
    told = run.predicted
    pairs = (
        (run.receive["requests"], told["requests"], REQUESTS, 0),
        (run.wire_bytes, told["bytes"], BYTES, 0),
        (1000 * run.latency_s["mean"], 1000 * told["latency_mean_s"], LATENCY, 1000 * LATENCY_S),
    )
    return [(got, said, abs(got - said) <= max(share * said, least)) for got, said, share, least in pairs]


def line(run):
    """One run as a line of the table."""
    cells = [
        f"{said:>10,.1f} {got:>10,.1f} {got / said - 1:>+7.1%}{' ' if near else '✗'}"
        for got, said, near in verdict(run)
    ]
    link = f"{1000 * run.conditions['rtt_s']:>4.0f} ms {run.conditions['rate']:>3.0f}/s"
    return f"{link} {run.mode:<10}" + " |".join(cells)


def main():
    """Print the grid; the exit code says whether every figure was near enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=800)
    messages = parser.parse_args().messages
    groups = " |".join(f"{name:^30}" for name in ("requests", "bytes, both ways", "mean latency, ms"))
    print(f"{'':22}{groups}\n{'':22}" + " |".join(3 * [f"{'predicted':>10} {'measured':>10} {'off':>7} "]))
    missed = 0
    for rtt in RTTS:
        for rate in RATES:
            for run in cell(rtt, rate, messages):
                missed += sum(not near for _, _, near in verdict(run))
                print(line(run), flush=True)
    print(f"{missed} of {9 * 3 * len(WORDS)} figures further off than they should be")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
