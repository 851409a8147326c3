"""Several labs behind a real nginx, measured: sums over the labs, and labs that end under load."""

import asyncio
import json
import os
import signal
import time
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import lab
from lab.catalogue import MODES
from lab.errors import BadParameter
from lab.experiment.check import Checker
from lab.experiment.conditions import Conditions
from lab.experiment.probe import Probe
from lab.labs.several import Plan, several
from lab.results.runs import load
from tests.faults.listeners import RecordingListener, Sender
from tests.support.run_lab import QUICK, run_lab
from tests.support.wire import eventually

pytestmark = [pytest.mark.needs("nginx", "redis-server"), pytest.mark.timeout(180)]

PATIENCE_S = 40.0
HEAL_S = 30.0
"""Ten times the 3 s in which every client receives again; a busy machine needs more."""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run by two labs from the command line, and the file of its record."""
    file = tmp_path_factory.mktemp("labs") / "run.json"
    done = run_lab("--mode", "longpoll", "--labs", "2", "--json", str(file), *QUICK)
    assert done.returncode == 0 and done.stderr == ""
    return done, file


def test_the_meters_are_the_sums_over_the_labs(done):
    """Counters and processor time are those of both labs together, and the parts are all of the bytes."""
    (run,) = load(done[1])
    assert run.clean and run.delivered == run.expected == 15
    assert len(run.labs) == 2 and all(one["messages"] for one in run.labs)
    for name in ("requests", "messages", "bytes_in", "bytes_out"):
        assert sum(one[name] for one in run.labs) == run.receive[name]
    assert run.server_cpu_s == pytest.approx(sum(one["cpu_s"] for one in run.labs))
    parts = sum(run.receive[f"{part}_bytes"] for part in ("head", "framing", "payload"))
    assert parts == run.receive["bytes_in"] + run.receive["bytes_out"]
    assert run.receive["delivery_s"]["count"] == 15 and run.receive["delivery_s"]["p50"] is None


def test_the_record_names_the_labs(done):
    """The conditions hold the number of labs, and can be used again; a figure is made of the run."""
    (run,) = load(done[1])
    assert run.conditions["labs"] == 2 and run.conditions["proxy"] == "good"
    assert Conditions.of(run.conditions).labs == 2
    assert lab.figures.overhead([run])


def test_the_command_prints_what_each_lab_did(done):
    """The table says how the labs were reached, and below it is the share of each."""
    assert "through nginx to 2 labs" in done[0].stdout
    assert "lab 1" in done[0].stdout and "· lab 2" in done[0].stdout


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"labs": 0}, "labs"),
        ({"labs": 2, "rtt": 0.1}, "leave one of them out"),
        ({"proxy": "balance=hash"}, "needs several labs"),
        ({"proxy": "shared=off"}, "needs several labs"),
    ],
)
def test_what_makes_no_sense_is_refused(given, text):
    """A wrong number, a slow link besides nginx, and switches that one lab does not have."""
    with pytest.raises(BadParameter, match=text):
        Conditions(**given)


async def until(holds):
    """Wait until this is so, with a limit."""
    limit = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < limit
        await asyncio.sleep(0.02)


class Load:
    """Listeners of every technique and a sender, through nginx, and the records of all of them."""

    def __init__(self, url, each, place):
        self.book = []
        self.sender = Sender(url, self.book)
        self.listeners = [
            RecordingListener(f"{mode} {number}", mode, url, place, self.book)
            for mode in MODES
            for number in range(each)
        ]

    async def receives_again(self):
        """Wait until every listener has a message that is acknowledged from now on; returns the seconds."""
        since = time.monotonic()
        await until(lambda: self._all_after(since))
        return time.monotonic() - since

    def _all_after(self, since):
        acked = [record.at for record in self.book if record.kind == "ack" and record.t >= since]
        return acked and all(listener.at >= min(acked) for listener in self.listeners)

    async def end(self):
        """The sender stops, and the listeners leave when they have received everything."""
        await self.sender.stop_sending(PATIENCE_S)
        last = max(record.at for record in self.book if record.kind == "ack")
        await until(lambda: all(listener.at >= last for listener in self.listeners))
        gave_up = list(filter(None, (listener.gave_up() for listener in self.listeners)))
        await asyncio.gather(*(listener.go() for listener in self.listeners), self.sender.go())
        return [*map(str, Checker(self.book).violations()), *gave_up]


@asynccontextmanager
async def loaded(each):
    """Two labs under load, in a room of their own."""
    limits = {"rate": 0, "per_address": 0}
    async with several(
        Plan(2, {"redis": "private", "room": f"run-{uuid.uuid4().hex}", "limits": limits})
    ) as labs:
        async with Probe(labs.labs[0].url) as probe:
            load = Load(labs.url, each, (await probe.get("/history"))["cursor"])
        await asyncio.gather(*(listener.come() for listener in load.listeners))
        yield labs, load


async def test_labs_end_and_are_added_under_load():
    """One is killed, one is drained, one is added: nothing is lost, doubled or out of order for any client.

    After each of these every client receives again within seconds.
    """
    async with loaded(2) as (labs, load):
        load.sender.start_sending(20)
        await load.receives_again()
        os.kill(labs.labs[0].process.pid, signal.SIGKILL)
        times = [await load.receives_again()]
        await labs.restart(1)
        times.append(await load.receives_again())
        labs.labs[1].process.terminate()
        times.append(await load.receives_again())
        assert "exit code 0" in await labs.labs[1].process.ended()
        await labs.restart(2)
        third = await labs.add()
        times.append(await load.receives_again())
        async with Probe(third.url) as probe:
            while not (await probe.snapshot("shortpoll"))["receive"]["messages"]:
                await load.receives_again()
        assert await load.end() == []
        print("received again after", [round(seconds, 2) for seconds in times])
        assert max(times) < HEAL_S


async def test_the_meters_count_what_passes_between_nginx_and_labs():
    """For each technique nginx logs as many bytes to and from the labs as both labs have counted, exactly."""
    async with loaded(2) as (labs, load):
        load.sender.start_sending(20)
        await load.receives_again()
        assert await load.end() == []
        await eventually(lambda: agree(labs), "nginx and the labs have counted the same")


CLOSE_FRAME = 4
"""Bytes of the lab's answer to a WebSocket that ends; its client has left, so nginx need not read it."""


async def agree(labs):
    """Whether nginx and the labs have counted the same, but for close frames of two listeners."""
    counted, logged = await meters(labs), passed(labs)
    (sent, received), (to_lab, from_lab) = counted.pop("websocket"), logged.pop("websocket")
    unread = (0, CLOSE_FRAME, 2 * CLOSE_FRAME)
    return counted == logged and sent == to_lab and received - from_lab in unread


async def meters(labs):
    """Bytes to and from both labs by technique, as their meters have them."""
    urls = [one.url for one in labs.labs]
    async with Probe(urls[0], others=urls[1:]) as probe:
        found = {mode: await probe.snapshot(mode) for mode in MODES}
    ways = ("receive", "send")
    for both in found.values():
        for way in ways:
            parts = sum(both[way][f"{part}_bytes"] for part in ("head", "framing", "payload"))
            assert parts == both[way]["bytes_in"] + both[way]["bytes_out"]
    return {
        mode: tuple(sum(both[way][name] for way in ways) for name in ("bytes_in", "bytes_out"))
        for mode, both in found.items()
    }


def passed(labs):
    """The same as nginx has logged it; a request that was repeated has several figures."""
    total = {mode: [0, 0] for mode in MODES}
    for line in Path(labs.proxy["conf"]).with_name("access.log").read_text().splitlines():
        answer = json.loads(line)
        mode = answer["target"].split("/")[1].partition("?")[0]
        for number, name in enumerate(("lab_in", "lab_out")):
            total[mode][number] += sum(map(int, answer[name].split(", ")))
    return {mode: tuple(both) for mode, both in total.items()}
