"""Simulated clients in several processes: one outcome, as if one process had all of them."""

import os
import signal
import sys
import threading
import time
from contextlib import asynccontextmanager

import pytest

import lab
from lab.child import RunFailed
from lab.experiment import fleet
from lab.experiment import simulated as simulating
from lab.experiment.client_processes import LEAST_EACH, largest_share, usual
from lab.experiment.conditions import Conditions
from lab.experiment.measure import Target
from lab.experiment.prediction import Exchange, predict_run
from lab.experiment.queueing import Work
from lab.experiment.session import run_rounds
from lab.experiment.simulated import merged, parts
from lab.results.runs import load
from tests.support.command import start_lab
from tests.support.lab_here import LabHere
from tests.support.leftovers import Mark
from tests.support.processes import all_end
from tests.support.redis_server import free_port
from tests.support.run_lab import wait_for_deliveries
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not show all processes")

# The parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clients", "cores", "processes"),
    [(1, 64, 1), (20, 64, 1), (2 * LEAST_EACH - 1, 64, 1), (2 * LEAST_EACH, 64, 2), (20_000, 1, 1),
     (20_000, 2, 1), (20_000, 4, 3), (20_000, 64, 63)],
)  # fmt: skip
def test_few_clients_and_few_cores_have_one_process(clients, cores, processes):
    """Another process is started for many listeners only, and only where a core is left for the lab."""
    assert usual(clients, cores) == processes


@pytest.mark.parametrize(("clients", "processes"), [(7, 3), (6, 2), (5, 1), (3, 3), (20_000, 256)])
def test_the_parts_are_all_listeners(clients, processes):
    """Each listener is in one part, and the parts differ by one listener at most."""
    plans = parts({"mode": "sse", "clients": clients}, processes)
    numbers = [n for plan in plans for n in range(plan["first"], plan["first"] + plan["clients"])]
    assert numbers == list(range(clients)) and {plan["of"] for plan in plans} == {clients}
    sizes = [plan["clients"] for plan in plans]
    assert max(sizes) - min(sizes) <= 1 and max(sizes) / clients == largest_share(clients, processes)


async def test_names_and_phases_are_those_of_one_process(monkeypatch):
    """A short poller waits for the same part of the interval, and has the same name, in any process."""
    known = []

    class Recorded:
        """A link that notes who uses it."""

        def __init__(self, client, **_):
            known.append(client)

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            pass

    async def nothing(*values):
        known.extend(values[:1] if len(values) == 1 else [])

    monkeypatch.setattr(fleet, "Link", Recorded)
    monkeypatch.setattr(fleet, "keep_receiving", nothing)
    monkeypatch.setattr(fleet.asyncio, "sleep", nothing)
    whole = {"mode": "shortpoll", "clients": 5, "link": {"interval": 1.0}, "named": True}

    async def noted(plans):
        known.clear()
        for plan in plans:
            for number in range(plan["first"], plan["first"] + plan["clients"]):
                await fleet.one(plan, fleet.ListenerLog(fleet.Events()), number)
        return list(known)

    one, three = await noted(parts(whole, 1)), await noted(parts(whole, 3))
    assert one == three == [value for n in range(5) for value in (n / 5, f"client-{n}")]


def event(n, body="hello"):
    """A message as a listener receives it."""
    return {"type": "message", "id": f"1-{n}", "body": body}


def test_what_the_processes_received_becomes_one_outcome():
    """Each event is kept once, whatever its number in a process; listeners follow in the order of parts."""
    first = {"events": [event(1), event(2)], "all_received": [[(0, 0.1), (1, 0.2)]], "away": {}}
    second = {
        "events": [event(2), event(1)],
        "all_received": [[(1, 0.3), (0, 0.4)], []],
        "away": {"2": "full"},
    }
    found = merged([first, second])
    assert found["events"] == [event(1), event(2)] and found["away"] == {"2": "full"}
    assert found["all_received"] == [[(0, 0.1), (1, 0.2)], [(0, 0.3), (1, 0.4)], []]


def test_two_contents_at_one_place_stay_two():
    """Merging hides no contradiction between listeners of different processes."""
    outcomes = [{"events": [event(1, body)], "all_received": [[(0, 1.0)]], "away": {}} for body in "ab"]
    found = merged(outcomes)
    assert found["all_received"] == [[(0, 1.0)], [(1, 1.0)]] and len(found["events"]) == 2


def test_the_clients_side_of_a_prediction_is_divided():
    """Of k processes each has its part of the listeners; the server has all, so it governs in the end."""
    work = Work(in_turn=0.0004, handed=0.0001, server=0.0001, clients=0.0004, outside=0.002)
    weights = Exchange(500, 200, 300, 0.003, work)

    def predicted(processes):
        return predict_run("sse", Conditions(clients=100, client_processes=processes), weights)

    one, two, eight = map(predicted, (1, 2, 8))
    assert one.load == pytest.approx(0.04, rel=0.02) and two.load == pytest.approx(one.load / 2, rel=0.02)
    assert eight.load == pytest.approx(0.01, rel=0.02)  # the server's
    assert one.latency_mean_s > two.latency_mean_s > eight.latency_mean_s
    assert one.latency_clients_s > two.latency_clients_s > eight.latency_clients_s > 0
    assert (one.requests, one.bytes) == (two.requests, two.bytes)


def test_a_pause_counts_for_its_length():
    """A process that stands still for a second is as late with each report that was due meanwhile."""
    assert fleet.delays(0.001) == [0.001]
    assert fleet.delays(1.05) == pytest.approx([1.05, 0.85, 0.65, 0.45, 0.25, 0.05])


# Runs -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def here():
    """A lab for all runs."""
    with LabHere(limits={"rate": 0, "per_address": 0}) as here:
        yield here


def measured(here, mode, processes, act=lambda: None, **conditions):
    """Measure a lab with so many client processes, and do this once, after the second message."""
    acted = threading.Event()

    def moved(share, text):
        if text.startswith(f"{mode}: 2 of") and not acted.is_set():
            acted.set()
            act()

    usual = {"clients": 5, "rate": 10, "duration": 1.0, "interval": 0.2, "client_processes": processes}
    (run,) = run_rounds([mode], Conditions(**(usual | conditions)), Target(here.address), moved)
    return run


@pytest.mark.parametrize(
    ("mode", "processes"), [("shortpoll", 2), ("longpoll", 2), ("websocket", 1), ("websocket", 2)]
)
def test_two_processes_measure_what_one_does(here, no_exchange, mode, processes):
    """Each listener receives each message once and in order, and the server counts what one process gives."""
    run = measured(here, mode, processes)
    assert run.clean and (run.sent, run.expected, run.delivered) == (10, 50, 50)
    assert run.receive["messages"] == run.latency_s["count"] == 50
    assert run.receive["connections"] == 5
    assert mode != "websocket" or run.receive["requests"] == 5
    whole = sum(run.receive[f"{part}_bytes"] for part in ("head", "framing", "payload"))
    assert whole == run.socket_bytes
    assert [one["clients"] for one in run.fleet["processes"]] == ([5] if processes == 1 else [2, 3])


@pytest.fixture
def started(monkeypatch):
    """The processes of clients that are started, in order."""
    started, usual_child = [], simulating.child

    @asynccontextmanager
    async def remembered(*what):
        async with usual_child(*what) as process:
            started.append(process.pid)
            yield process

    monkeypatch.setattr(simulating, "child", remembered)
    return started


@linux
def test_one_process_that_is_killed_ends_the_run(here, no_exchange, started):
    """The sentence says which of them, the run does not wait for its time, and no process is left."""
    begun = time.monotonic()
    with pytest.raises(RunFailed, match=r"Process 2 of 2 of the simulated clients .*killed by SIGKILL"):
        measured(here, "sse", 2, lambda: os.kill(started[1], signal.SIGKILL), duration=120.0)
    assert time.monotonic() - begun < 60
    assert len(started) == 2
    all_end(started)


@linux
def test_a_process_that_is_late_is_named(here, no_exchange, started):
    """A process that stands still for a second is named in the run, and what it received is counted."""

    def stop():
        os.kill(started[1], signal.SIGSTOP)
        threading.Timer(1.0, os.kill, (started[1], signal.SIGCONT)).start()

    run = measured(here, "sse", 2, stop, duration=2.0)
    assert run.clean and run.delivered == run.expected
    assert run.fleet["processes"][1]["late_s"]["max"] > 0.5
    assert any("client process 2 of 2 was" in words for words in run.fleet["warnings"])


def test_over_a_slow_link(no_exchange):
    """With a simulated link every listener of both processes receives everything, half a round trip later."""
    run = lab.measure("sse", clients=5, rate=10, duration=1, rtt=0.1, client_processes=2)
    assert run.clean and run.delivered == 50 and run.latency_s["p50"] > 0.05


@pytest.mark.needs("nginx", "redis-server")
def test_through_a_proxy_to_two_labs(no_exchange):
    """Through nginx to two labs: sums over labs and processes are of the same deliveries."""
    run = lab.measure("longpoll", clients=5, rate=10, duration=1, labs=2, client_processes=2)
    assert run.clean and run.delivered == run.receive["messages"] == 50
    assert len(run.labs) == 2 and len(run.fleet["processes"]) == 2
    assert run.proxy["seen"]["cuts"] == 0 and run.proxy["seen"]["statuses"] == {}


@linux
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_the_end_of_the_command_ends_all_of_them(name, tmp_path):
    """Ctrl-C prints and records what there is, marked partial; after either end no process is left."""
    number, mark, port, file = signal.Signals[name], Mark(), free_port(), tmp_path / "run.json"
    options = ["--mode", "sse", "-c", "4", "-d", "120s", "-r", "20", "--redis", "private"]
    options += ["--client-processes", "3", "--port", str(port), "--json", str(file)]
    with start_lab(*options, **mark.environment) as lab:
        wait_for_deliveries(port)
        assert sum(b"lab.experiment.fleet" in command for command in mark.alive()) == 3
        lab.process.send_signal(number)
        code, out, _ = lab.ended()
    wait_until(lambda: not mark.alive(), f"nothing is left of {mark.alive()}")
    assert code == (130 if name == "SIGINT" else -number) and ("PARTIAL" in out) == (name == "SIGINT")
    if name == "SIGINT":
        (run,) = load(file)
        assert run.conditions["client_processes"] == 3 and len(run.fleet["processes"]) == 3
