"""What of a technique's cost is the server's: the same technique by Python and by C, in one table.

Frames of a WebSocket, wake-ups of long polls and answers to short polls without a message, each by all
servers in turn, round by round. So the ratio of two techniques at one server is of one run too.
"""

import json
import os
from datetime import date

from tests.benchmarks.cell import LISTENERS, Cell, busiest, interleaved
from tests.benchmarks.in_c import missing
from tests.benchmarks.machine import ROOT, description
from tests.benchmarks.table import Row, microseconds, ratio

MODES = ("websocket", "longpoll", "shortpoll")
KINDS = ("lab", "tornado", "delegate", "aiohttp", "Nchan", "C floor")
GOALS = (
    ("lab longpoll", "tornado longpoll", 1 / 4),
    ("lab longpoll", "aiohttp longpoll", 1),
    ("lab shortpoll", "tornado shortpoll", 1 / 6),
    ("lab shortpoll", "aiohttp shortpoll", 1),
)
"""Processor time of one for a delivery or an answer, at most so many times that of the other."""
CPU = "CPU, "
"""How the row of a cost begins; the record takes those rows."""
RECORD = ROOT / "notebooks" / "data" / "04-servers.json"


def servers(stack, rounds):
    """Processor time of the server per delivery or answer, by every server that is installed."""
    left_out = {kind: reason for kind in KINDS if (reason := missing(kind))}
    kinds = [kind for kind in KINDS if kind not in left_out]
    cells = [Cell(stack, kind, mode) for kind in kinds for mode in MODES]
    costs, shares = interleaved(cells, rounds, Cell.work)
    rows = [Row(f"{kind}: left out", "", reason, None, {}) for kind, reason in left_out.items()]
    rows += [Row(f"{CPU}{name}", "", microseconds(each), None, {"s": each}) for name, each in costs.items()]
    rows += [at_most(costs, *goal) for goal in GOALS]
    return [*rows, *(apart(costs, kind) for kind in kinds), busiest(shares)]


def at_most(costs, one, other, most):
    """One cost may be at most so many times the other."""
    found = ratio(costs, one, other)
    return Row(f"{one} / {other}", f"≤ {most:.3g}", f"{found:.2f}", found <= most, {"ratio": found})


def apart(costs, kind):
    """How many frames of a WebSocket a wake-up of a long poll costs at this server."""
    found = ratio(costs, f"{kind} longpoll", f"{kind} websocket")
    return Row(f"{kind}: longpoll / websocket", "", f"{found:.1f} : 1", None, {"ratio": found})


def write_down(rows):
    """Write the record that notebook 04 shows: the processor time by each server in each round."""
    cpu_us = {}
    for row in rows:
        kind, _, mode = row.what.removeprefix(CPU).rpartition(" ")
        if row.what.startswith(CPU):
            cpu_us.setdefault(kind, {})[mode] = [round(1e6 * one, 3) for one in row.figures["s"]]
    load = [round(part, 1) for part in os.getloadavg()]
    recorded = {"date": date.today().isoformat(), "machine": description(), "load_average": load}
    found = {"clients": LISTENERS, "cpu_us": cpu_us, "recorded": recorded}
    RECORD.write_text(json.dumps(found) + "\n", encoding="utf-8")
