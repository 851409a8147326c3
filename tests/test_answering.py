"""What a handler says about its answer arrives, and a request that is refused leaves nothing behind."""

import re
from contextlib import asynccontextmanager

import pytest

from lab.catalogue import server_side
from lab.room.messages import compact
from lab.server.lifecycle import running
from lab.settings import Settings
from lab.techniques import polling
from lab.techniques.answering import Response
from tests.support.drafts import draft
from tests.support.lab_here import temporary
from tests.support.listeners import WAITING, each_technique, handshake
from tests.support.wire import Wire, eventually, fetch

BAD_REQUESTS = ["after=latest&hold=soon", "after=x&hold=1", "after=latest&hold=-1", "after=latest&hold=nan"]


@asynccontextmanager
async def a_lab():
    """A lab in this process and event loop."""
    async with running(Settings(**temporary()), temporary=True) as here:
        yield here


async def receive(here, mode, query):
    """Begin to receive; returns the connection, whose answer has not been read."""
    wire = await Wire.open(here.port)
    target = f"/{mode}?{query}&callback=f"
    await wire.request("GET", target, handshake() if mode == "websocket" else {})
    return wire


async def publish(here):
    """Send one message."""
    await fetch(here.port, "POST", "/sse", {"Content-Type": "application/json"}, compact(draft()))


def add_headers(handler, suffix):
    """Set a new header, change one that every answer has, and set one twice."""
    handler.set_header(f"X-Mine-{suffix}", "yes")
    handler.set_header("Cache-Control", "private")
    handler.add_header(f"X-Twice-{suffix}", "1")
    handler.add_header(f"X-Twice-{suffix}", "2")


def assert_headers(wire, headers, *suffixes):
    """All that was set is there, and so is what every answer has, once."""
    raw = bytes(wire.received).lower()
    for suffix in suffixes:
        assert headers[f"x-mine-{suffix}"] == "yes"
        assert raw.count(f"x-twice-{suffix}: ".encode()) == 2
    assert headers["cache-control"] == "private" and raw.count(b"cache-control: ") == 1
    assert headers["x-content-type-options"] == "nosniff" and raw.count(b"\r\ndate: ") == 1


def finish(handler, body, fully_sent):
    """What Tornado itself does in place of `send_at_once`."""
    handler.finish(body)


def without_date(response):
    """The bytes of a response, but for the second in which it was made."""
    return re.sub(rb"Date: [^\r]+", b"Date: now", bytes(response))


@pytest.mark.parametrize("mode", ["shortpoll", *WAITING])
async def test_a_response_sent_at_once_is_what_tornado_would_send(mode, monkeypatch):
    """Every byte of the response to a poll is the one that Tornado's `finish` sends, in the same order."""
    raw = []
    async with a_lab() as here:
        await publish(here)
        for send in (Response.send_at_once, finish):
            monkeypatch.setattr(Response, "send_at_once", send)
            wire = await receive(here, mode, "after=")
            await wire.read_answer()
            raw.append(without_date(wire.received))
    assert raw[0] == raw[1] and raw[0].startswith(b"HTTP/1.1 200 OK\r\n")


@each_technique
async def test_a_header_set_before_the_answer_begins_arrives(mode, monkeypatch):
    """A header that `get` sets before anything else reaches the client, in every technique."""
    handler = server_side(mode).ROUTES[0][1]
    original = handler.get

    def get(self, *args, **kwargs):
        add_headers(self, "early")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(handler, "get", get)
    async with a_lab() as here:
        wire = await receive(here, mode, "after=latest&hold=0.05")
        assert_headers(wire, (await wire.read_head()).headers, "early")
        wire.abort()


@pytest.mark.parametrize("mode", WAITING)
@pytest.mark.parametrize("hold", ["0.05", "20"], ids=["times out", "has news"])
async def test_a_header_set_around_the_wait_arrives(mode, hold, monkeypatch):
    """A header that `get` sets before or after it waits reaches the client, however the wait ends."""
    original = polling.wait

    async def wait(request):
        add_headers(request, "early")
        batch = await original(request)
        add_headers(request, "late")
        return batch

    monkeypatch.setattr(polling, "wait", wait)
    async with a_lab() as here:
        wire = await receive(here, mode, f"after=latest&hold={hold}")
        if hold == "20":
            await eventually(lambda: are_waiting(here, 1), "the poll waits")
            await publish(here)
        assert_headers(wire, (await wire.read_head()).headers, "early", "late")
        wire.abort()


async def are_waiting(here, count):
    """Whether so many readers wait."""
    return here.context.room.readers == count


@each_technique
@pytest.mark.parametrize("query", BAD_REQUESTS)
async def test_a_refused_receive_request_leaves_no_reader(mode, query):
    """A bad cursor or a bad hold is refused where it is read, and nothing waits afterwards."""
    async with a_lab() as here:
        for _ in range(20):
            wire = await receive(here, mode, query)
            await wire.read_head()
            wire.abort()
        await eventually(lambda: are_waiting(here, 0), "no reader is left")
        assert not any(technique.open for technique in here.context.meters.techniques.values())
