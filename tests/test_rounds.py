"""Statistics that hold: the interval over rounds, and a stalled server."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

import lab
from lab.catalogue import MODES
from lab.experiment.session import order
from lab.results.rounds import interval, spread
from tests.support.browsing import meters

STALL_S, RATE, CLIENTS = 2.0, 10, 3


@pytest.fixture(scope="module")
def rounds():
    """A technique in four short rounds."""
    return lab.compare(["sse"], clients=3, rate=10, duration=0.5, rounds=4)


def known(values):
    """A figure that reads these values off runs, one after the other."""
    values = iter(values)
    return lambda run: next(values)


def test_the_interval_is_drawn_over_rounds(rounds):
    """The median lies in its interval, and one wild round of four does not move it far."""
    found = spread(rounds, known([1.0, 1.1, 0.9, 50.0]))
    assert found.median == pytest.approx(1.05) and found.rounds == 4
    assert found.low <= found.median <= found.high <= 50


def test_one_round_has_no_interval(rounds):
    """A single round has a figure and no interval; a round without the figure makes it unknown."""
    assert spread(rounds[:1], known([1.0])) == (1.0, None, None, 1)
    assert spread(rounds, known([1.0, None, 1.0, 1.0])) is None


def test_the_interval_covers_the_truth_most_times():
    """Of many experiments with ten rounds each, the interval of nine in ten holds the true median."""
    draw = random.Random(1)
    hits = 0
    for _ in range(100):
        low, high = interval([draw.gauss(5, 1) for _ in range(10)])
        hits += low <= 5 <= high
    assert hits >= 88


def test_every_round_begins_with_another_technique():
    """Over as many rounds as techniques each technique is first once and last once."""
    played = order(MODES, len(MODES))
    rows = [played[start : start + len(MODES)] for start in range(0, len(played), len(MODES))]
    assert sorted(row[0] for row in rows) == sorted(row[-1] for row in rows) == sorted(MODES)


def test_warm_up_is_not_counted(rounds):
    """What comes before the timetable leaves no trace: not in messages, requests or latencies."""
    for run in rounds:
        assert run.receive["messages"] == run.expected == 15 and run.send["messages"] == 5
        assert run.receive["requests"] == 3 and run.latency_s["count"] == 15


# A stalled server -----------------------------------------------------------------------------


@pytest.fixture
def server():
    """A lab in a process of its own: where it is, and the process."""
    room = f"run-{random.getrandbits(40):x}"
    settings = {"port": 0, "redis": "private", "room": room, "limits": {"rate": 0}}
    command = [sys.executable, "-m", "lab.server", json.dumps(settings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}", process
        process.stdin.close()


def stall(url, process):
    """Stop the server for two seconds, as soon as a second of the run is over."""
    while meters(url)["sse"]["send"]["messages"] < 1 + RATE:  # the warm-up is one
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(STALL_S)
    os.kill(process.pid, signal.SIGCONT)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
def test_a_stalled_server_raises_every_sample_that_it_delayed(server):
    """Two seconds at ten a second delay twenty messages for each listener, fifteen by more than 0.5 s.

    A busy machine delays others too, so there is no upper bound.
    """
    url, process = server
    stalling = threading.Thread(target=stall, args=(url, process), daemon=True)
    stalling.start()
    run = lab.measure("sse", url=url, clients=CLIENTS, rate=RATE, duration=4, arrivals="periodic")
    stalling.join()
    raised = sum(sample > 0.5 for sample in run.samples) / CLIENTS
    assert run.clean and run.missing <= 1  # the one that was on its way to Redis just then may be refused
    assert raised >= (STALL_S - 0.5) * RATE - 2
    assert run.latency_s["max"] > STALL_S - 2 / RATE
