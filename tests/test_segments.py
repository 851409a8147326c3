"""TCP segments: the kernel's count equals a capture, and a run has it, or null where nothing counts all."""

import asyncio
import json
import os
import socket

import pytest
from rich.console import Console

import lab
from lab.catalogue import MODES
from lab.results.segments import packets
from lab.server.api import reports
from lab.server.connections import segments
from tests.support.lab_here import LabHere
from tests.support.listeners import client, each_technique
from tests.support.packets import Capture
from tests.support.waiting import wait_until

MESSAGES = 5
QUICK = {"clients": 3, "rate": 5, "duration": 1}
linux = pytest.mark.skipif(not segments.REPORTED, reason="this system does not report TCP segments")


@pytest.fixture(scope="module")
def capturing():
    """A lab, and a capture of its port; skipped where this user may not capture."""
    if not hasattr(socket, "AF_PACKET") or os.geteuid():
        pytest.skip("only root may capture packets, on Linux")
    with LabHere() as here, Capture(here.lab.port) as capture:
        yield here, capture


@linux
@each_technique
def test_the_kernel_counts_what_a_capture_shows(capturing, mode):
    """Segments in, segments out and the bytes of their headers, of an open connection that has received."""
    here, capture = capturing

    async def receive():
        listener = await client(mode, here.lab.port).connect("latest")
        sender = client("fetch", here.lab.port)
        for number in range(MESSAGES):
            await sender.send(f"message {number}")
            await listener.receive(number + 1)
        await asyncio.to_thread(wait_until, the_same, f"equal counts: {counted()}, {captured()}")
        await listener.leave()
        await sender.leave()

    def counted():
        return json.load(here.look("/segments"))[mode]

    def captured():
        came, sent = capture.of(f"GET /{mode}".encode())
        total = [sum(way.packets for way in ways) for ways in (came, sent)]
        return {
            "in": total[0],
            "out": total[1],
            "head_bytes": sum(way.head_bytes for way in came + sent),
        }

    def the_same():
        return counted() == captured() and counted()["out"] > MESSAGES

    asyncio.run(receive())


@linux
def test_a_run_has_its_segments():
    """Bytes with headers are those at the socket and at least 40 a segment; one machine has one clock."""
    run = lab.measure("websocket", **QUICK)
    both = run.segments["in"] + run.segments["out"]
    assert run.segments["out"] >= run.delivered and run.wire_bytes >= run.socket_bytes + 40 * both
    assert run.as_json()["clock_bound_s"] == 0


def test_where_connections_have_ended_it_is_null():
    """A connection for each request: its end is not counted, so there is no number."""
    run = lab.measure("shortpoll", **QUICK, keep_alive=False, interval=0.2)
    assert (run.segments, run.wire_bytes) == (None, None)
    assert packets([run]) is None


def test_where_the_system_does_not_report_them_it_is_null(monkeypatch):
    """On another system the report is null for each technique."""
    monkeypatch.setattr(segments, "REPORTED", False)
    monkeypatch.setattr(reports, "REPORTED", False)
    with LabHere() as here:
        assert json.load(here.look("/segments")) == dict.fromkeys(MODES)


@linux
def test_they_are_a_line_for_each_technique():
    """The table names segments and bytes per delivered message."""
    runs = lab.compare(["sse", "websocket"], **QUICK)
    console = Console(width=40, record=True, quiet=True)
    console.print(packets(runs))
    for run, line in zip(runs, packets(runs).plain.splitlines()[-2:], strict=True):
        each = run.per_delivery(run.segments["in"] + run.segments["out"])
        assert line.split() == [run.mode, f"{each:.2f}", f"{run.per_delivery(run.wire_bytes):,.0f}"]
