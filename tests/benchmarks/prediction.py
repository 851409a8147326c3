"""Prediction against measurement, over real sockets: three round trips, three rates, all techniques.

    python -m tests.benchmarks.prediction                            54 cells, 20 minutes
    python -m tests.benchmarks.prediction --only longpoll 300ms 20/s    cells that are all of this
    python -m tests.benchmarks.prediction --messages 250             quicker, and by chance further off
    python -m tests.benchmarks.prediction --json FILE                the figures too

Several cells run at once, each with a lab, clients and a link of its own, as many as keep two cores from
being busy; on a machine that is busy otherwise the latencies show it. The constants of the predictions
are measured first, by one technique after the other. A form is an average over all timetables, and a cell
has one of them: with 800 messages chance moves requests by one or two in a hundred. Ctrl-C ends it with
what there is; a figure that is off by more than it should be is marked with ✗.
"""

import argparse
import asyncio
import json
import signal
import sys
from itertools import groupby, product
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress

from lab.catalogue import MODES
from lab.experiment.conditions import Conditions
from lab.experiment.exchange import exchange
from lab.experiment.measure import Target, measure
from tests.benchmarks.machine import description

RTTS = (0.02, 0.1, 0.3)
RATES = (4, 10, 20)
CLIENTS = 5
MOST_PER_S = 60
"""Messages per second in all rooms that are measured at once."""
GOALS = {"requests": (0.05, 0), "bytes": (0.02, 0), "latency_mean_s": (0.10, 0.003)}
"""Most that a figure may be off: a share of the prediction, or so much if that is more."""
TITLES = {"requests": "requests", "bytes": "bytes, both ways", "latency_mean_s": "mean latency"}
UNITS = {"requests": (1, 0), "bytes": (1, 0), "latency_mean_s": (0.001, 1)}
"""What a figure is shown in, and with how many digits behind the point."""
WORDED = {"requests": "5 %", "bytes": "2 %", "latency_mean_s": "10 % or 3 ms"}


class Cell(NamedTuple):
    """One technique under one set of conditions."""

    rtt: float
    rate: int
    mode: str

    def __str__(self):
        return f"{self.mode} {1000 * self.rtt:.0f}ms {self.rate}/s"


def conditions(cell, messages):
    """A timetable of its own for each technique: at the same moments all would want the processor at once."""
    seed = MODES.index(cell.mode) + 1
    return Conditions(clients=CLIENTS, rtt=cell.rtt, rate=cell.rate, duration=messages / cell.rate, seed=seed)


def verdicts(run):
    """Each figure's prediction, measurement, how far that is off, and whether it is near enough."""
    measured = {"requests": run.receive["requests"], "bytes": run.socket_bytes}
    measured["latency_mean_s"] = run.latency_s["mean"]
    return {name: verdict(run.predicted[name], measured[name], *GOALS[name]) for name in GOALS}


def verdict(predicted, found, share, least):
    """One figure of it."""
    off = found / predicted - 1
    within = abs(found - predicted) <= max(share * predicted, least)
    return {"predicted": predicted, "measured": found, "off": off, "within": within}


def line(cell, judged):
    """One cell as a line of the table."""
    cells = [f"{1000 * cell.rtt:.0f} ms", f"{cell.rate}/s", cell.mode]
    for name, (unit, digits) in UNITS.items():
        one = judged[name]
        cells += [f"{one[mode] / unit:,.{digits}f}" for mode in ("predicted", "measured")]
        cells.append(f"{one['off']:+.1%}{'' if one['within'] else ' ✗'}")
    return f"| {' | '.join(cells)} |"


HEAD = "| RTT | rate | technique |" + "".join(
    f" {name}: theory | measured | off |" for name in ("requests", "bytes", "latency, ms")
)


async def grid(cells, messages, stop, report):
    """Measure the cells, those of one rate and round trip side by side; `report` is called for each."""
    for mode in {cell.mode: None for cell in cells}:
        await exchange(mode, conditions(cells[0], messages))
    for (_, rate), group in groupby(cells, lambda cell: cell[:2]):
        places = asyncio.Semaphore(min(len(MODES), MOST_PER_S // rate))
        await asyncio.gather(*(one(cell, messages, stop, report, places) for cell in group))


async def one(cell, messages, stop, report, places):
    """Measure one cell, unless it has been stopped before or meanwhile."""
    async with places:
        if stop.is_set():
            return
        run = await measure(
            cell.mode, conditions(cell, messages), Target(), 1, stop, lambda share, text: None
        )
        if not run.partial:
            report(cell, verdicts(run))


async def shown(cells, messages):
    """The cells that could be judged, printed as they come, and whether that was all of them."""
    found, stop = {}, asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("measuring", total=sum(messages / cell.rate for cell in cells))

        def report(cell, judged):
            found[cell] = judged
            print(line(cell, judged), flush=True)
            progress.update(task, advance=messages / cell.rate, description=f"{len(found)} of {len(cells)}")

        await grid(cells, messages, stop, report)
    return found


def summary(found):
    """How many of each figure are near enough."""
    words = []
    for name, title in TITLES.items():
        within = sum(judged[name]["within"] for judged in found.values())
        words.append(f"{title} {within} of {len(found)} within {WORDED[name]}")
    return "; ".join(words)


def main():
    """Print the grid; the exit code says whether every figure was near enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=800)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="such as longpoll, 300ms or 20/s"
    )
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    cells = [Cell(*three) for three in product(RTTS, RATES, MODES)]
    cells = [cell for cell in cells if all(mode in str(cell).split() for mode in options.only)]
    if not cells:
        parser.error(f"there is no cell {' '.join(options.only)}")
    print(
        f"{description()}; {options.messages} messages a cell, {CLIENTS} listeners\n\n{HEAD}\n|{'---|' * 12}"
    )
    found = asyncio.run(shown(cells, options.messages))
    if options.json:
        document = {"machine": description(), "messages": options.messages, "clients": CLIENTS}
        document["cells"] = [cell._asdict() | judged for cell, judged in found.items()]
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
    print(f"\n{'' if len(found) == len(cells) else 'PARTIAL: '}{summary(found)}")
    if len(found) < len(cells):
        return 130
    return 0 if all(figure["within"] for judged in found.values() for figure in judged.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
