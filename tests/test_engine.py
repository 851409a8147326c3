"""Listeners on other machines: the same figures, clocks that are compared, and workers that end."""

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import lab
from lab.child import RunFailed
from lab.cli import main
from lab.errors import BadParameter, CannotStart
from lab.experiment import engine
from lab.experiment.channel import Channel
from lab.experiment.clocks import MOST_DRIFT, Difference, RoundTrip, difference
from lab.experiment.on_worker import listen_here
from lab.experiment.remote import Remote
from lab.experiment.same_machine import MOST_MESSAGES, same_machine
from lab.figures.html_report import report
from lab.results.table import show
from tests.support.dask_cluster import cluster
from tests.support.lab_here import LabHere
from tests.support.lab_process import ROOT
from tests.support.machines import Machine, reason_against
from tests.support.processes import command_of, descendants
from tests.support.redis_server import free_port
from tests.support.waiting import soon, wait_until

PATIENCE_S = 110
SMALL_S = 0.5
"""Far more than a round trip on one machine, however busy it is."""
FEW = {"clients": 4, "rate": 20, "duration": 1, "seed": 5}
README = (ROOT / "lab" / "experiment" / "README.md").read_text(encoding="utf-8")

# Clocks -----------------------------------------------------------------------------------------

seconds = st.floats(0, 3)
offsets = st.floats(-1e6, 1e6)


def trips(offset, ways, start=100.0):
    """Round trips with these ways there and back, between clocks that differ by an offset."""
    found = []
    for there, back in ways:
        found.append(RoundTrip(start, start + there + offset, start + there + back))
        start += there + back
    return found


@given(offsets, st.lists(st.tuples(seconds, seconds), min_size=1, max_size=9))
def test_the_difference_is_within_its_bound(offset, ways):
    """However long each way takes, the true difference is within the bound, half the shortest trip."""
    found = difference(trips(offset, ways))
    assert abs(found.offset - offset) <= found.bound + 1e-9 * max(1, abs(offset))
    assert found.bound == pytest.approx(min(map(sum, ways)) / 2, abs=1e-9 * max(1, abs(offset)))


@given(offsets, st.floats(0, 0.1), st.floats(-1, 1), st.floats(0, 1))
def test_a_steady_drift_stays_within_both_comparisons(offset, way, drift, moment):
    """Between two comparisons a clock that gains steadily is within the bound of both together."""
    before, after = (difference(trips(one, [(way, way / 2)])) for one in (offset, offset + drift))
    both = before.with_later(after)
    assert abs(both.offset - (offset + moment * drift)) <= both.bound + 1e-9 * max(1, abs(offset))


def test_without_a_second_comparison_the_bound_grows():
    """A worker that has ended cannot be asked again: its clock may have drifted as fast as any clock may."""
    once = Difference(0.2, 0.4)
    assert once.after(100).bound == pytest.approx(once.bound + 100 * MOST_DRIFT)
    assert once.after(100).offset == pytest.approx(once.offset)


# The connection of a worker ---------------------------------------------------------------------

SHIFT_S = 0.25


class Worker:
    """The other end of a connection: it answers by a shifted clock, and sends what the test says."""

    def __init__(self, channel):
        self.token, self.arriving = channel.expect()
        self.channel = channel

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection(self.channel.host, self.channel.port)
        self.writer.write(self.token.encode())
        self.remote = Remote("tcp://10.0.0.6:1", await self.arriving)
        self.answering = asyncio.create_task(self._answer())
        await self.remote.begin()
        self.remote.listen({"clients": 2})
        return self

    async def __aexit__(self, *_):
        self.answering.cancel()
        self.writer.close()

    async def _answer(self):
        while line := await self.reader.readline():
            if "clock" in json.loads(line):
                self.send({"clock_s": time.monotonic() + SHIFT_S})

    def send(self, report):
        """Send one line."""
        self.writer.write(json.dumps(report).encode() + b"\n")


async def test_moments_are_by_our_clock():
    """Reports and the last report have their moments by the clock of the measuring machine."""
    async with Channel("127.0.0.1") as channel, Worker(channel) as worker:
        moment = time.monotonic()
        worker.send({"t_s": moment + SHIFT_S, "cpu_s": 0.5, "there": 2})
        worker.send({"all_received": [[[0, moment + SHIFT_S]], []], "events": [{}], "away": {}})
        first, last = await worker.remote.receive(), await worker.remote.receive()
        bound = worker.remote.difference.bound
    assert 0 < bound < SMALL_S
    assert abs(first["t_s"] - moment) <= bound
    assert abs(last["all_received"][0][0][1] - moment) <= bound and last["all_received"][1] == []


async def test_what_was_reported_counts_when_a_worker_ends():
    """When its connection ends in the middle of a run, what it had reported is its last report."""
    async with Channel("127.0.0.1") as channel, Worker(channel) as worker:
        moment = time.monotonic() + SHIFT_S
        worker.send({"t_s": moment, "cpu_s": 0.5, "there": 2})
        worker.send({"arrived": [[1, [[0, moment]]]], "new_events": [{"id": "7-1"}]})
        worker.send({"arrived": [[0, [[0, moment]]], [1, [[1, moment]]]], "new_events": [{"id": "7-2"}]})
        await worker.remote.receive()
        worker.writer.close()
        done, last = await worker.remote.receive(), await worker.remote.receive()
    assert done["heard_out"] and done["cpu_s"] == 0.5
    assert [[which for which, _ in received] for received in last["all_received"]] == [[0], [0, 1]]
    assert last["events"] == [{"id": "7-1"}, {"id": "7-2"}] and last["ended"]
    assert "tcp://10.0.0.6:1 ended early" in worker.remote.ended


async def test_a_worker_that_ends_too_early_fails_the_run():
    """Before all its listeners are connected there is no run that could go on."""
    async with Channel("127.0.0.1") as channel, Worker(channel) as worker:
        worker.send({"t_s": 1.0, "cpu_s": 0.5, "there": 1})
        worker.writer.close()
        await worker.remote.receive()
        with pytest.raises(RunFailed, match=r"10\.0\.0\.6.*before its listeners were connected"):
            await worker.remote.receive()


async def test_a_task_that_is_started_again_does_not_measure():
    """A second process with the same token, or one without any, is ended at once."""
    async with Channel("127.0.0.1") as channel, Worker(channel) as worker:
        order = {"host": channel.host, "port": channel.port}
        for token in (worker.token, "0" * len(worker.token)):
            assert await asyncio.to_thread(listen_here, order | {"token": token}) == ""


async def test_a_worker_that_cannot_connect_says_why():
    """The last line of its complaint is the result of the task."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONWARNINGS", "ignore")
        order = {"host": "127.0.0.1", "port": free_port(), "token": "0" * 64}
        assert "refused" in await asyncio.to_thread(listen_here, order)


@pytest.mark.parametrize("mode", ["shortpoll", "longpoll", "websocket"])
async def test_a_process_measures_its_own_messages(mode):
    """It publishes and receives, so it needs one clock; pollers find a message anywhere in their interval."""
    with LabHere() as here:
        took = await same_machine(mode, {"url": here.address, "interval": 0.1})
    assert 0 < len(took) <= MOST_MESSAGES and min(took) > 0


# A cluster on this machine ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def dask():
    """The address of the scheduler of two workers, and the process that has started them."""
    pytest.importorskip("distributed", reason="distributed is missing: pip install 'pushlab[dask]'")
    with cluster() as found:
        yield found


@pytest.fixture(scope="module")
def remote(dask):
    """A run whose listeners are on that cluster."""
    return lab.measure("sse", engine=dask[0], **FEW)


def test_a_run_on_a_cluster_is_like_another(remote):
    """Every message arrives at every listener, and the server counts the same bytes."""
    plain = lab.measure("sse", **FEW)
    assert remote.clean and not remote.partial
    assert remote.delivered == remote.expected == plain.expected == 80
    assert remote.receive["requests"] == plain.receive["requests"] == 4
    assert remote.socket_bytes == pytest.approx(plain.socket_bytes, rel=0.02)
    assert plain.clock_bound_s == 0 and "engine" not in plain.as_json()


def test_the_clocks_of_one_machine_agree(remote):
    """The true difference is 0, and it is within the bound of each worker."""
    workers = remote.engine["workers"]
    assert [worker["clients"] for worker in workers] == [2, 2] and not remote.engine["ended"]
    assert all(abs(worker["clock_offset_s"]) <= worker["clock_bound_s"] for worker in workers)
    assert 0 < remote.clock_bound_s < SMALL_S
    assert remote.clock_bound_s == max(worker["clock_bound_s"] for worker in workers)
    assert all(sample >= -remote.clock_bound_s for sample in remote.samples)


def test_it_says_what_it_does_not_know(remote):
    """No time is predicted, delays below the bound are grey, and the messages of one worker need no bound."""
    assert remote.predicted["latency_mean_s"] is None and remote.predicted["requests"] == 4
    assert remote.same_machine_latency_s["count"] > 0 and remote.same_machine_latency_s["p50"] > 0
    for bound, grey in ((0.0001, False), (60.0, True)):
        page = report([replace(remote, clock_bound_s=bound)], "en")
        assert ('<td class="unknown">' in page) == grey and "Sent and received by one machine" in page
        assert "other machines" in page and "loopback" not in page
        console = Console(width=100, record=True, file=io.StringIO(), force_terminal=True)
        show([replace(remote, clock_bound_s=bound)], console)
        shown = console.export_text(clear=False)
        assert "clocks agree" in shown and "listeners on 2 workers of tcp://" in shown
        assert ("\x1b[2;" in console.export_text(styles=True)) == grey


def test_it_can_be_saved(remote, tmp_path):
    """A record of it is read back as it was, also as a table."""
    lab.save([remote], tmp_path / "run.json")
    assert lab.load(tmp_path / "run.json") == [remote]


def delivered(port):
    """How many messages the lab of a run has delivered, which may not have started yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/meters", timeout=5) as answer:
            return json.load(answer)["techniques"]["sse"]["receive"]["messages"]
    except OSError:
        return 0


def test_a_killed_worker_makes_the_run_partial(dask, tmp_path):
    """A sentence names it, the other listeners receive the rest, nothing is lost, and the code is 1."""
    address, holder = dask
    port, record = free_port(), tmp_path / "run.json"
    options = ["--mode", "sse", "-c", "4", "-r", "5", "-d", "8s", "--engine", address, "--port", str(port)]
    command = [sys.executable, "run_lab.py", *options, "--json", str(record)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as running:
        wait_until(lambda: delivered(port), "messages that are delivered", PATIENCE_S)
        listeners = [pid for pid in descendants(holder) if "remote_fleet" in command_of(pid)]
        worker = [pid for pid in descendants(holder) if listeners[0] in descendants(pid)][-1]
        os.kill(worker, signal.SIGKILL)
        out, err = running.communicate(timeout=PATIENCE_S)
    (run,) = json.loads(record.read_text())["runs"]
    assert running.returncode == 1 and err == ""
    assert run["partial"] and len(run["engine"]["ended"]) == 1
    assert run["sent"] == 40 and run["lost"] == 0
    assert 2 * 40 <= run["delivered"] == run["expected"] < 4 * 40
    assert re.search(r"PARTIAL. Worker tcp://127.0.0.1:\d+ ended early", out)
    wait_until(lambda: not any("remote_fleet" in command_of(pid) for pid in descendants(holder)), "their end")


# What cannot be -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more", [{"proxy": "timeout=3s"}, {"labs": 2}, {"rtt": 0.1}], ids=lambda more: next(iter(more))
)
def test_what_is_on_this_machine_only_is_refused(more):
    """A proxy, several labs and a simulated link cannot be reached from another machine."""
    with pytest.raises(BadParameter, match="this machine only; with an engine"):
        lab.measure("sse", engine="tcp://127.0.0.1:1", **more)


def test_each_worker_has_one_process():
    """The number of processes is that of the workers, so it cannot be asked for."""
    with pytest.raises(BadParameter, match="one process"):
        lab.measure("sse", engine="tcp://127.0.0.1:1", client_processes=2)


def test_without_the_package_it_says_how_to_get_it(monkeypatch, capsys):
    """The exit code is 3, and the sentence has the command."""
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    assert main(["--mode", "sse", "--engine", "tcp://127.0.0.1:8786"]) == 3
    assert "pip install 'pushlab[dask]'" in capsys.readouterr().err


def test_it_is_for_measured_runs(capsys):
    """A classroom has no simulated listeners."""
    assert main(["--engine", "tcp://127.0.0.1:8786"]) == 2
    assert "--mode" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "x://y:1", ""])
def test_what_is_no_address_is_refused(address):
    """A scheduler has a protocol, a host and a port; the sentence shows an example."""
    with pytest.raises(BadParameter, match="The engine must be an address such as tcp://"):
        lab.measure("sse", engine=address)


def test_without_a_scheduler_the_run_does_not_start():
    """It says so within seconds, in one sentence with the address."""
    pytest.importorskip("distributed", reason="distributed is missing: pip install 'pushlab[dask]'")
    wrong = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(CannotStart, match=f"^No Dask scheduler answers at {wrong}: .+\\.$") as refused:
        lab.measure("sse", engine=wrong)
    assert len(str(refused.value)) < 300 and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("workers", "reached"),
    [(["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"], "127.0.0.1"), (["tls://localhost:1"], "127.0.0.1")],
)
def test_the_workers_say_at_which_address_they_reach_this_machine(workers, reached):
    """It is the one from which packets to them leave."""
    assert engine.this_machine(workers) == reached


# Two other machines, with wrong clocks --------------------------------------------------------------


def readme_commands():
    """The commands in the README for the scheduler, a worker and the run, without their comments."""
    block = next(found for found in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "scheduler" in found)
    return [line.split("#")[0].split() for line in block.splitlines()]


@pytest.mark.skipif(reason_against() is not None, reason=str(reason_against()))
def test_clocks_that_are_wrong_are_put_right(tmp_path):
    """By the commands in the README: clocks that are 0.3 s early and late are found within their bounds."""
    pytest.importorskip("distributed", reason="distributed is missing: pip install 'pushlab[dask]'")
    scheduler, worker, run = readme_commands()
    dask, record = [sys.executable, "-m", "dask"], tmp_path / "run.json"
    log = open(tmp_path / "log", "w")  # noqa: SIM115 - its processes write to it
    options = {"cwd": tmp_path, "stdout": log, "stderr": log, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    with ExitStack() as stack, log:
        first, early, late = (
            stack.enter_context(Machine(f"10.0.0.{number}", clock_s))
            for number, clock_s in ((5, 0.0), (6, 0.3), (7, -0.3))
        )
        first.connect(early)
        first.connect(late)
        first.start(*dask, *scheduler[1:], **options)
        for machine in (early, late):
            machine.start(*dask, *worker[1:], **options)
        wait_until(
            lambda: (tmp_path / "log").read_text().count("Registered to") >= 2, "two workers", PATIENCE_S
        )
        less = ["--mode", "sse", "-c", "4", "-r", "20", "-d", "1s", "--json", str(record)]
        running = first.start(sys.executable, ROOT / run[1], *run[2:], *less, **options)
        assert running.wait(PATIENCE_S) == 0, (tmp_path / "log").read_text()
    found = json.loads(soon(record.read_text))["runs"][0]
    workers = {worker["address"].split(":")[1].strip("/"): worker for worker in found["engine"]["workers"]}
    assert found["delivered"] == found["expected"] == 80
    for machine in (early, late):
        measured = workers[machine.address]
        assert 0 < measured["clock_bound_s"] < SMALL_S
        assert abs(measured["clock_offset_s"] - machine.clock_s) <= measured["clock_bound_s"]
    assert found["latency_s"]["p50"] is not None, "half of the listeners would have received in the past"
