"""When all clients have left, a lab has the timers, tasks and descriptors of before, and empty lists."""

import asyncio
import gc
import json
import os
import sys
from collections import Counter

import pytest

from lab.catalogue import MODES
from lab.meters import Account
from lab.room import presence
from lab.room.messages import Batch
from lab.server.connections.metered_stream import MeteredStream
from lab.server.lesson.simulated_students import Plan
from lab.server.lifecycle import running
from lab.settings import Settings
from lab.techniques.endpoint import Endpoint
from lab.techniques.streaming import Outlet
from tests.support.drafts import draft
from tests.support.framings import TEXT, client_frame
from tests.support.lab_here import temporary
from tests.support.listeners import WAITING, client, handshake
from tests.support.wire import Wire, eventually, fetch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors, as only Linux lets one")
SAMPLES = 60
LANES_REMEMBER = 2 * len(MODES)
"""Connections of clients without a name: a lane keeps its listener's, and that of the next one."""
ROUNDS = 4
"""In each of these more than twice as many connections are reset as a lane remembers."""
REFUSED = (
    b"GET /longp",
    b"nonsense\r\n\r\n",
    b"GET /longpoll?after=x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /sse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
    b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\nGET /longpoll HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /longpoll HTTP/1.1\r\nHost: localhost\r\n\r\nGET /longpoll HTTP/1.1\r\nHost: localhost\r\n\r\n",
)


def holdings(here):
    """What the lab holds, by kind: what the loop knows, what the system knows, who is on which list."""
    loop, lab, lesson = asyncio.get_running_loop(), here.context, here.lesson
    room, lanes = lab.room, lab.recorder.lanes.values()
    lists = {
        "connections": (here.server.open, here.server.addresses, lab.senders),
        "channels": lab.channels.values(),
        "lanes": [lane.open for lane in lanes],
        "pages": (lesson.live_pages, lab.accounts, lesson.known_users),
        "users": (lab.presence.users, lab.presence.hidden),
    }
    return (
        {kind: sum(map(len, these)) for kind, these in lists.items()}
        | room.counts()
        | {
            "timers": sum(not timer.cancelled() for timer in loop._scheduled),
            "tasks": len(asyncio.all_tasks()),
            "readers": len(loop._selector.get_map()),
            "files": len(os.listdir("/proc/self/fd")),
            "open": sum(technique.open for technique in lab.meters.techniques.values()),
        }
    )


async def usual(here):
    """What it holds most of the time: the tail and the pulse come to their next round now and then."""
    seen = Counter()
    for _ in range(SAMPLES):
        seen[json.dumps(holdings(here))] += 1
        await asyncio.sleep(0.01)
    return json.loads(seen.most_common(1)[0][0])


async def visit(port, mode, politely):
    """Connect by a technique, send and receive, and leave, or vanish in the middle of something."""
    listener = await client(mode, port, client=f"{mode}-{politely}", username="ann").connect("latest")
    await listener.receive_up_to((await listener.send("hello")).n)
    if politely:
        return await listener.leave()
    if mode in WAITING:
        await listener.ask()
    listener.abort()


async def watch(port):
    """Open a page in the room, and the lanes."""
    wire = await Wire.open(port)
    await wire.request("GET", "/live", handshake())
    for said in ({"type": "client", "client": "a", "mode": "sse"}, {"type": "lanes"}):
        await wire.send(client_frame(TEXT, json.dumps(said).encode()))
    await wire.take_through(b'"lanes"')
    wire.abort()


async def everything(port):
    """Everything that users do, and what they do wrong."""
    for mode in MODES:
        await asyncio.gather(*(visit(port, mode, politely) for politely in (True, False)))
    await watch(port)
    (await client("websocket", port, receive="0").connect("latest")).abort()
    for beginning in REFUSED:
        wire = await Wire.open(port)
        await wire.send(beginning)
        wire.abort()
    wire = await Wire.open(port)
    await wire.request("POST", "/sse", {"Content-Type": "application/json"}, json.dumps(draft()).encode())
    wire.abort()


async def test_nothing_remains_of_clients_that_left(monkeypatch):
    """After clients of every technique have come and gone the lab holds exactly what it held before."""
    monkeypatch.setattr(presence, "POLL_GRACE_S", 0.1)
    async with running(Settings(**temporary()), temporary=True) as here:
        await asyncio.gather(
            *(here.context.room.history.read(0) for _ in range(16))
        )  # opens all it may to Redis
        before = await usual(here)

        async def as_before():
            return holdings(here) == before

        for _ in range(2):
            await everything(here.port)
        try:
            await eventually(as_before, "the lab is as before")
        except AssertionError:
            raise AssertionError(f"before: {before}, now: {await usual(here)}") from None


def serving():
    """How many streams, handlers, outlets and batches of events there are in this process."""
    return sum(isinstance(each, MeteredStream | Endpoint | Outlet | Batch) for each in gc.get_objects())


@pytest.fixture
def no_cycle_collector():
    """Python's cycle collector is off: an object that refers to itself by a detour stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_what_served_a_closed_connection_is_freed_at_once(no_cycle_collector):
    """Also without the cycle collector, however a client leaves; a lane remembers a connection or two."""
    async with running(Settings(**temporary()), temporary=True) as here:
        await everything(here.port)
        most = serving() + LANES_REMEMBER
        for _ in range(ROUNDS):
            await everything(here.port)

        async def freed():
            return serving() <= most

        try:
            await eventually(freed, "freed")
        except AssertionError:
            raise AssertionError(f"{serving()} remain, {most} may") from None


async def test_a_lab_waits_for_simulated_students_that_are_ending():
    """When it closes while they are being stopped, their processes have ended before it has."""
    async with running(Settings(**temporary()), temporary=True) as here:
        simulated = here.lesson.simulated
        await simulated.start(Plan(words=("sse",), each=1))
        process = simulated.processes["sse"]
        leaving = asyncio.create_task(simulated.stop())
        await asyncio.sleep(0)
    assert process.returncode == 0
    await leaving


async def test_a_clients_own_account_has_every_byte():
    """However often the meters are looked at, a client's own account has every byte of its requests."""
    async with running(Settings(**temporary()), temporary=True) as here:
        account = here.context.accounts["ann", "longpoll"] = Account()
        looking = asyncio.create_task(look_always(here))
        for _ in range(20):
            await fetch(here.port, "GET", "/longpoll?hold=0&client=ann")
        looking.cancel()
        meter = here.context.meters.techniques["longpoll"].receive
        assert (account.bytes_in, account.bytes_out) == (meter.bytes_in, meter.bytes_out)


async def look_always(here):
    """Bring the meters up to every moment."""
    while True:
        here.lesson.credit()
        await asyncio.sleep(0)
