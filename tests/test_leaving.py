"""Clients that leave, or that only stop sending: noticed in every technique, whatever they sent before."""

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest

from lab.room.presence import POLL_GRACE_S
from tests.support.drafts import draft
from tests.support.framings import TEXT, client_frame
from tests.support.lab_here import LabHere
from tests.support.lab_state import held, history, is_conserved, meters, top
from tests.support.listeners import CALLBACK, handshake
from tests.support.raw import OWN, answers, message, raw
from tests.support.wire import Wire, eventually

WAITING = ("longpoll", "jsonp", "sse", "iframe", "websocket")
CLIENT = "0b0e1c7e-7d43-4c1c-9d3b-0d3f9e5f7a10"
EXTRA = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "a byte": b"x",
    "a second request": raw("GET /longpoll?after=latest HTTP/1.1", OWN),
    "half a send": message("never")[:-3],
    "a send": message("never"),
    "much": b"x" * 60_000,
}


@pytest.fixture(scope="module")
def here():
    """A lab of this file's own."""
    with LabHere(limits={"rate": 0, "per_address": 0}) as here:
        yield here


def receive(mode, place):
    """A request that waits or streams."""
    lines = [f"{name}: {value}" for name, value in handshake().items()] if mode == "websocket" else []
    query = f"after={place}&callback={CALLBACK}&client={CLIENT}&username=ann"
    return raw(f"GET /{mode}?{query} HTTP/1.1", OWN, *lines)


@pytest.mark.parametrize("together", [True, False], ids=["in one piece", "later"])
@pytest.mark.parametrize("mode", WAITING)
async def test_a_client_that_leaves_is_noticed_whatever_it_sent(mode, together, here):
    """Soon its request is closed and it is off the list of users, and what it sent is counted to the byte."""
    port, place, before = here.lab.port, await top(here.lab.port), await meters(here.lab.port)
    wires = [await Wire.open(port) for _ in EXTRA]
    for wire, extra in zip(wires, EXTRA.values(), strict=True):
        await wire.send(receive(mode, place) + too_much(mode, extra) * together)
    await eventually(lambda: is_open(port, mode, len(wires)), "the requests are open")
    for wire, extra in zip(wires, EXTRA.values(), strict=True):
        await wire.send(too_much(mode, extra) * (not together))
        wire.drop()
    await eventually(lambda: is_open(port, mode, 0), "all are noticed")
    assert not here.lab.context.presence.here(time.monotonic() + POLL_GRACE_S)
    await is_conserved(port)
    received = [
        counted["techniques"][mode]["receive"]["bytes_in"] for counted in (before, await meters(port))
    ]
    assert received[1] - received[0] == sum(len(wire.sent) for wire in wires)
    assert all(kept["body"] != "never" for kept in (await history(port))["messages"])


def too_much(mode, extra):
    """Bytes that a client sends unasked; by WebSocket they are the beginning of a frame."""
    return client_frame(TEXT, extra[:15_000] + b"x")[:-1] if mode == "websocket" and extra else extra


async def is_open(port, mode, count):
    """Whether so many requests of this technique are open."""
    return await held(port, mode) == count


# Half-closed --------------------------------------------------------------------------------------

BRIEF = {
    "a send": (message("half"), 201),
    "a send by longpoll": (message("half").replace(b"/sse", b"/longpoll"), 201),
    "a short poll": (raw("GET /shortpoll?after=latest HTTP/1.1", OWN), 200),
    "a head": (raw("HEAD /longpoll?after=latest HTTP/1.1", OWN), 200),
    "a page": (raw("GET / HTTP/1.1", OWN), 200),
    "a report": (raw("GET /meters HTTP/1.1", OWN), 200),
    "an error": (raw("GET /nowhere HTTP/1.1", OWN), 404),
}


@pytest.mark.parametrize("name", BRIEF)
async def test_a_client_that_closes_its_side_gets_the_answer(name, here):
    """A client that closes its own side behind a request still reads the answer (nc -N, socat)."""
    data, status = BRIEF[name]
    assert [answer.status for answer in await answers(here.lab.port, data, ends=True)] == [status]


@pytest.mark.parametrize("name", BRIEF)
async def test_a_busy_lab_answers_too(name, here):
    """A busy lab finds a request and its end at the same moment, and the client reads the answer."""
    data, status = BRIEF[name]
    wire = await Wire.open(here.lab.port)
    await wire.ask("GET", "/readyz")
    with busy(here.loop):
        await wire.send(data)
        wire.end()
    answer = await wire.read_answer(data.partition(b" ")[0].decode())
    assert answer.status in (status, 200)  # 200: this message was sent before


@contextmanager
def busy(loop):
    """The lab's event loop does nothing while the block runs."""
    stopped, over = threading.Event(), threading.Event()
    loop.call_soon_threadsafe(lambda: (stopped.set(), over.wait()))
    stopped.wait()
    yield
    over.set()


async def test_a_jsonp_send_is_answered_too(here):
    """A send by GET is a send."""
    fields = draft("half")
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    data = raw(f"GET /jsonp/send?callback=f&{query} HTTP/1.1", OWN)
    assert [answer.status for answer in await answers(here.lab.port, data, ends=True)] == [200]


async def test_several_requests_are_all_answered(here):
    """What was sent in one go is answered in order, and then the connection ends."""
    data = message("one") + raw("GET /readyz HTTP/1.1", OWN) + message("two")
    assert [answer.status for answer in await answers(here.lab.port, data, ends=True)] == [201, 200, 201]


async def test_many_at_once_cost_no_time_to_turn(here):
    """The end of what a client sends is reported once, not repeatedly while its answer is made."""
    await asyncio.gather(*(answers(here.lab.port, message("many"), ends=True) for _ in range(20)))
    assert (await history(here.lab.port))["messages"][-1]["body"] == "many"


@pytest.mark.parametrize("mode", ["longpoll", "jsonp", "sse", "iframe"])
async def test_a_waiting_client_that_closes_its_side_has_left(mode, here):
    """Behind a request that waits or streams, closing one side is leaving: the two look the same."""
    wire = await Wire.open(here.lab.port)
    await wire.send(receive(mode, await top(here.lab.port)))
    await eventually(lambda: is_open(here.lab.port, mode, 1), "the request is open")
    wire.end()
    await eventually(lambda: is_open(here.lab.port, mode, 0), "it has left")
