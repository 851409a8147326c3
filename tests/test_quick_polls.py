"""Polls that the lab answers while Tornado waits for the next head: no client can see the difference."""

import asyncio
import re
from contextlib import asynccontextmanager, contextmanager

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lab.catalogue import TECHNIQUES, server_side
from lab.meters import COUNTERS
from lab.room.messages import compact
from lab.server.connections.polls import recognised
from lab.server.lifecycle import running
from lab.settings import Settings
from tests.support.drafts import draft
from tests.support.lab_here import temporary
from tests.support.wire import JSON, Closed, Wire, eventually, fetch

POLLS = [mode for mode, technique in TECHNIQUES.items() if technique.verb != "stream"]
WAITING = [mode for mode in POLLS if TECHNIQUES[mode].verb == "wait"]
LAST = b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
"""A request behind all others, after whose response the connection ends."""
PLAIN = b"Host: 127.0.0.1\r\nUser-Agent: test\r\n"


@asynccontextmanager
async def a_lab(hold=25.0, **limits):
    """A lab in this process and event loop, with three messages."""
    given_settings = temporary() | {"hold": hold}
    given_settings["limits"] |= limits
    async with running(Settings(**given_settings), temporary=True) as here:
        for _ in range(3):
            await publish(here)
        yield here


async def publish(here, **fields):
    """Send one message."""
    await fetch(here.port, "POST", "/sse", JSON, compact(draft() | fields))


@contextmanager
def without_quick_polls(here):
    """The lab as it is when Tornado receives every request."""
    begins, here.server.begins_poll = here.server.begins_poll, None
    try:
        yield
    finally:
        here.server.begins_poll = begins


@contextmanager
def quick_polls_counted(here):
    """The lab as it is; the list grows by one for each poll that Tornado does not receive."""
    begins, quick = here.server.begins_poll, []

    def counted(stream, data):
        begun = begins(stream, data)
        quick.extend([data] if begun else [])
        return begun

    here.server.begins_poll = counted
    try:
        yield quick
    finally:
        here.server.begins_poll = begins


def head(mode, query="after=latest", fields=PLAIN):
    """The head of a poll."""
    callback = b"&callback=f" if mode == "jsonp" else b""
    return b"GET /%b?%b%b HTTP/1.1\r\n%b\r\n" % (mode.encode(), query.encode(), callback, fields)


def undated(received):
    """The bytes without the seconds in which they were sent."""
    return re.sub(rb"Date: [^\r]+", b"Date: now", bytes(received))


# The same as by Tornado ---------------------------------------------------------------------------

METHODS = [b"GET"] * 8 + [b"HEAD", b"POST", b"PUT", b"get", b"G(T"]
PATHS = [b"/shortpoll", b"/longpoll", b"/jsonp"] * 4 + [
    b"/history",
    b"//shortpoll",
    b"/shortpoll/",
    b"*",
    b"x",
]
PARTS = [b"after=", b"after=latest", b"after=TOP", b"after=TOP", b"after=x", b"after=9999999999999-7"]
PARTS += [
    b"hold=0",
    b"hold=0.01",
    b"hold=-1",
    b"hold=",
    b"callback=f",
    b"callback=f",
    b"callback=a.b%2E",
    b"callback=1",
]
PARTS += [b"client=me", b"client=", b"username=Li", b"username=%E6%9D%8E", b"username=a+b", b"nothing", b"="]
FIELDS = [b"User-Agent: a", b"Cookie: a=b; c=d", b"Accept: */*", b"Origin: http://else.where", b"X-Other: 1"]
FIELDS += [
    b"Connection: keep-alive",
    b"Connection: close",
    b"connection: Close, x",
    b"Sec-Fetch-Site: cross-site",
]
FIELDS += [b'If-None-Match: "TOP"', b"Content-Length: 0", b"Content-Length: x", b"Transfer-Encoding: chunked"]
FIELDS += [b"Expect: 100-continue", b"Expect: more", b"Host: 127.0.0.1", b" folded", b"no colon", b"A: \x01"]
FIELDS += [
    b"X-Forwarded-Prefix: /lab",
    b"Upgrade: websocket",
    b"User-Agent : a",
    b"A: b\nC: d",
    b"A: b\rC: d",
]
HOSTS = [b"Host: 127.0.0.1"] * 8 + [
    b"Host: localhost:8000",
    b"Host: evil.example",
    b"Host: a b",
    b"Host:",
    b"",
]
VERSIONS = [b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/2.0", b"http/1.1"]
ENDS = [b"\r\n"] * 8 + [b"\n"]


GOOD = [part for part in PARTS if part not in (b"after=x", b"hold=-1", b"callback=1", b"nothing", b"=")]


@st.composite
def polls(draw):
    """A poll as clients send it."""
    mode = draw(st.sampled_from(POLLS))
    query = draw(st.lists(st.sampled_from(GOOD), max_size=3, unique_by=lambda part: part.partition(b"=")[0]))
    fields = draw(st.lists(st.sampled_from(FIELDS[:6]), max_size=2, unique=True))
    return head(mode, b"&".join(query).decode(), b"".join(one + b"\r\n" for one in [HOSTS[0], *fields]))


@st.composite
def requests(draw):
    """A request that is nearly a poll."""
    query = b"&".join(draw(st.lists(st.sampled_from(PARTS), max_size=4)))
    target = draw(st.sampled_from(PATHS)) + (b"?" + query if query else b"")
    line = b" ".join((draw(st.sampled_from(METHODS)), target, draw(st.sampled_from(VERSIONS))))
    fields = [draw(st.sampled_from(HOSTS)), *draw(st.lists(st.sampled_from(FIELDS), max_size=2))]
    end = draw(st.sampled_from(ENDS))
    return b"".join(part + end for part in (line, *filter(None, fields))) + end


CUTS = st.sampled_from([0, 0, 0, 0, 1, 9, 40, None])
TRAFFIC = st.lists(st.tuples(polls() | polls() | requests(), CUTS), min_size=1, max_size=4)
"""Requests, and after how many bytes each is cut in two; 0: it is not; None: the next is sent at once."""


async def exchanged(here, traffic):
    """The bytes that the lab sends, and what its meters count, for these requests on one connection."""
    before = counted(here)
    wire = await Wire.open(here.port)
    begun = here.context.meters.total.bytes_in
    try:
        for request, cut in traffic:
            for piece in filter(None, (request[: cut or 0], request[cut or 0 :])):
                await wire.send(piece.replace(b"TOP", str(here.context.room.top).encode()))
                if cut is not None:
                    await eventually(lambda: are_read(here, begun + len(wire.sent)), "the lab has read them")
        await wire.send(LAST)
        received = await wire.take_rest()
    except OSError:  # the lab closed the connection before it had read all of it
        received = bytes(wire.received)
    wire.drop()
    await eventually(lambda: is_closed(here), "the lab has closed the connection")
    after = counted(here)
    return undated(received), {name: after[name] - before[name] for name in after}


async def are_read(here, count):
    """Whether the lab has received so many bytes, or will not before it has responded."""
    return here.context.meters.total.bytes_in >= count or not here.server.open or await is_paused(here)


async def is_closed(here):
    """Whether no connection is open, and nothing waits."""
    return not here.server.open and not here.context.room.readers


def counted(here):
    """All figures of the polls' meters."""
    meters = here.context.meters.techniques
    both = {(mode, way): getattr(meters[mode], way) for mode in POLLS for way in ("receive", "send")}
    return {(*key, name): getattr(meter, name) for key, meter in both.items() for name in COUNTERS} | {
        (mode, "open"): meters[mode].open for mode in POLLS
    }


async def test_no_traffic_shows_whether_tornado_received_a_poll():
    """For any requests, pipelined and in pieces too, bytes, meters and the connection's end are the same."""
    loop = asyncio.get_running_loop()
    async with a_lab(hold=0.02) as here:
        with quick_polls_counted(here) as quick:

            async def both(traffic):
                ours = await exchanged(here, traffic)
                with without_quick_polls(here):
                    return ours, await exchanged(here, traffic)

            @settings(max_examples=80, suppress_health_check=list(HealthCheck))
            @given(TRAFFIC)
            @example([(head("longpoll", "after=latest&hold=0.05"), 0), (head("shortpoll"), 0)])
            @example([(head("shortpoll"), 0), (b"\r\n" + head("shortpoll"), 0), (head("jsonp", "hold=0"), 0)])
            def every(traffic):
                ours, tornados = asyncio.run_coroutine_threadsafe(both(traffic), loop).result()
                assert ours == tornados

            await asyncio.to_thread(every)
            assert len(quick) > 20 and all(recognised(data) for data in quick)


@pytest.mark.parametrize("mode", POLLS)
async def test_browsers_polls_are_quick(mode):
    """The head that a browser sends is recognised, with its cookies and its client id."""
    fields = (
        PLAIN
        + b"Cookie: name=Li\r\nAccept-Encoding: gzip, br\r\nSec-Fetch-Mode: cors\r\nReferer: http://a/\r\n"
    )
    data = head(mode, "after=1-2&client=0b5c&username=Li", fields)
    asked = recognised(data)
    assert (
        asked.path == f"/{mode}"
        and asked.arguments["after"] == "1-2"
        and asked.headers["Cookie"] == "name=Li"
    )
    assert recognised(data + b"G") is None and recognised(data[:-1]) is None


# What a technique's `get` may do ------------------------------------------------------------------


async def finishes(self):
    """Respond as in any handler of Tornado."""
    self.set_header("X-Number", 7)
    self.set_status(202)
    self.finish(
        {"host": self.request.host, "path": self.request.path, "all": self.get_query_arguments("after")}
    )


async def writes_twice(self):
    """Respond in two parts, of which the first is sent before the length is known."""
    self.write("one")
    await self.flush()
    self.write("two")


async def fails(self):
    """Fail."""
    raise RuntimeError("this is the test's own error")


async def has_no_body(self):
    """Respond with a status and nothing else."""
    self.set_status(204)


async def does_nothing(self):
    """Leave it to Tornado to finish the response."""


@pytest.mark.parametrize(
    "get", [finishes, writes_twice, fails, has_no_body, does_nothing], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("mode", POLLS)
async def test_a_changed_get_responds_as_in_tornado(mode, get, monkeypatch):
    """A student's `get` may use all of Tornado's handler; every byte is the one that Tornado sends."""
    monkeypatch.setattr(server_side(mode).ROUTES[0][1], "get", get)
    async with a_lab() as here:
        with quick_polls_counted(here) as quick:
            ours = await exchanged(here, [(head(mode), 0)])
            assert len(quick) == 1
        with without_quick_polls(here):
            assert ours == await exchanged(here, [(head(mode), 0)])


# Clients that disconnect, are slow, or send more --------------------------------------------------


async def are_waiting(here, count):
    """Whether so many readers wait."""
    return here.context.room.readers == count


@pytest.mark.parametrize(
    "more", [b"", head("shortpoll"), b"G"], ids=["alone", "one more behind", "part of one"]
)
@pytest.mark.parametrize("mode", WAITING)
async def test_a_poll_whose_client_disconnects_waits_no_more(mode, more):
    """The lab notices within seconds, also behind unread bytes; no waiter, no open request is left."""
    async with a_lab() as here:
        for leave in (Wire.end, Wire.abort):
            with quick_polls_counted(here) as quick:
                wire = await Wire.open(here.port)
                await wire.send(head(mode))
                await eventually(lambda: are_waiting(here, 1), "the poll waits")
                await wire.send(more)
                leave(wire)
                await eventually(lambda: is_closed(here), "the lab has noticed")
                assert quick == [head(mode)] and not here.context.meters.techniques[mode].open
            if leave is Wire.end:
                wire.drop()


@pytest.mark.parametrize("mode", WAITING)
async def test_requests_behind_a_poll_that_waits_have_their_turn(mode):
    """They stay unread until the poll has its response, and are then answered in order."""
    async with a_lab() as here:
        wire = await Wire.open(here.port)
        await wire.send(head(mode))
        await eventually(lambda: are_waiting(here, 1), "the poll waits")
        await wire.send(head("shortpoll") + head("jsonp", "after=latest&hold=0"))
        await eventually(lambda: is_paused(here), "the lab reads no more")
        assert not wire.received
        await publish(here)
        answers = [await wire.read_answer() for _ in range(3)]
        assert b'"message"' in answers[0].body and b'"messages":[]' in answers[1].body
        assert answers[2].body.startswith(b"/**/f(")
        await wire.close()


async def is_paused(here):
    """Whether one connection is not read."""
    return any(stream.is_paused for stream in here.server.open)


async def test_a_client_that_does_not_read_receives_every_response():
    """What its socket does not accept is queued, and the next poll is answered after it."""
    async with a_lab() as here:
        for _ in range(60):
            await publish(here, body="x" * 500)
        with quick_polls_counted(here) as quick:
            wire = await Wire.open(here.port, takes=4096)
            begun = here.context.meters.total.bytes_in
            for _ in range(12):
                await wire.send(head("shortpoll", "after="))
                await eventually(lambda: are_read(here, begun + len(wire.sent)), "the lab has read it")
            answers = [await wire.read_answer() for _ in range(12)]
            assert quick and {len(answer.json["messages"]) for answer in answers} == {63}
            await wire.close()
        await eventually(lambda: is_closed(here), "the connection is closed")
        assert here.context.meters.techniques["shortpoll"].receive.messages == 12 * 63


async def test_a_connection_too_many_has_no_quick_poll():
    """Above the limit of connections a poll is refused, as every request is."""
    async with a_lab(connections=1) as here:
        first = await Wire.open(here.port)
        await first.send(head("shortpoll"))
        assert (await first.read_answer()).status == 200
        second = await Wire.open(here.port)
        await second.send(head("shortpoll"))
        assert (await second.read_answer()).status == 503
        with pytest.raises(Closed):
            await second.more()
        await first.close()
