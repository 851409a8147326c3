"""Faults of several labs behind one nginx, each with its cure: retries, rules of balancing, a Redis for each.

The symptoms are those that nginx 1.22 shows with this lab.
"""

import asyncio
import http.client
import sys
import uuid
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest

from lab.catalogue import MODES, TECHNIQUES
from lab.clients.link import Link
from lab.clients.reconnecting import keep_receiving
from lab.experiment.publisher import send
from lab.labs.several import Plan, several
from lab.proxy.nginx import Nginx
from lab.proxy.switches import parse
from tests.support.again import if_the_lab_stood_still
from tests.support.lab_process import LabProcess
from tests.support.wire import HOST, eventually, fetch

pytestmark = [pytest.mark.needs("nginx", "redis-server"), pytest.mark.timeout(150)]

LIMITS = {"rate": 0, "per_address": 0}


@pytest.fixture(scope="module")
def labs(redis_server):
    """The places of two labs with one Redis."""
    started = [LabProcess(redis=redis_server.url) for _ in range(2)]
    yield [f"{HOST}:{lab.port}" for lab in started]
    for lab in started:
        lab.stop()


@contextmanager
def before(labs, switches):
    """An nginx with these switches before the labs."""
    with Nginx(parse(switches), labs) as proxy:
        yield proxy


async def asked(proxy, path):
    """The status of a request through nginx, and how many labs were asked."""
    earlier = len(proxy.answers())
    status = (await fetch(proxy.port, "GET", path)).status
    await eventually(holds(lambda: len(proxy.answers()) > earlier), "it is logged")
    return status, proxy.answers()[-1]["lab"].count(f"{HOST}:")


def holds(test):
    """A test as something that can be awaited."""

    async def is_so():
        return test()

    return is_so


TOO_LONG, SHORT = "/longpoll?after=latest", "/longpoll?after=latest&hold=0.2"


@if_the_lab_stood_still
async def test_a_poll_that_is_too_long_is_tried_again_and_disables_every_lab(labs):
    """Fault 6, nginx's own rules: 504 after both labs have timed out, then 502 for every technique.

    The labs themselves are well: what belongs to the lesson has its own list of them, and is answered.
    """
    with before(labs, "timeout=1s,retry=on") as proxy:
        assert await asked(proxy, TOO_LONG) == (504, 2)
        for mode in ("shortpoll", "longpoll", "sse", "history"):
            assert await asked(proxy, f"/{mode}") == (502, 0)
        assert (await asked(proxy, "/meters"))[0] == 200
        complaints = [complaint.text for complaint in proxy.complaints()]
        assert sum("timed out (110: Connection timed out)" in text for text in complaints) == 2
        assert any("no live upstreams" in text for text in complaints)


@if_the_lab_stood_still
async def test_without_retries_only_the_poll_itself_fails(labs):
    """The cure in nginx: 504 after one timeout, of one lab, and all other requests are answered."""
    with before(labs, "timeout=1s") as proxy:
        assert await asked(proxy, TOO_LONG) == (504, 1)
        assert [await asked(proxy, "/shortpoll") for _ in range(4)] == [(200, 1)] * 4


@if_the_lab_stood_still
async def test_a_hold_below_the_timeout_leaves_no_symptom(labs):
    """The cure in the lab works with nginx's own rules too: the poll is empty, and nothing is disabled."""
    with before(labs, "timeout=1s,retry=on") as proxy:
        assert [await asked(proxy, SHORT) for _ in range(3)] == [(200, 1)] * 3


# Balancing ------------------------------------------------------------------------------------


def lab_of(proxy, path="/shortpoll", source=HOST):
    """The number of the lab that answers a client at this address."""
    connection = http.client.HTTPConnection(HOST, proxy.port, source_address=(source, 0))
    connection.request("GET", path)
    name = connection.getresponse().headers["X-Lab"]
    connection.close()
    return name.partition(" ")[0]


async def streams_between_polls(proxy):
    """Open six streams with a poll after each; returns how many streams each lab has."""
    async with AsyncExitStack() as stack:
        found = Counter()
        for _ in range(6):
            link = await stack.enter_async_context(Link(proxy.url))
            answer = await stack.enter_async_context(link.request("GET", "/sse", {}))
            found[answer.headers["X-Lab"].partition(" ")[0]] += 1
            lab_of(proxy)
        return found


async def test_round_robin_counts_requests_and_least_conn_connections(labs):
    """With a poll after each stream, round robin gives all streams to one lab; `least_conn` shares them."""
    with before(labs, "good") as proxy:
        assert list((await streams_between_polls(proxy)).values()) == [6]
        assert Counter(lab_of(proxy) for _ in range(6)) == {"1": 3, "2": 3}
    with before(labs, "balance=least_conn") as proxy:
        assert await streams_between_polls(proxy) == {"1": 3, "2": 3}


CLASS = [f"127.0.7.{number}" for number in range(1, 9)]
"""Addresses of one network: the first three octets are the same."""


@pytest.mark.skipif(sys.platform != "linux", reason="only there all of 127.0.0.0/8 is loopback")
def test_ip_hash_sends_a_whole_class_to_one_lab(labs):
    """Fault 9: the key of `ip_hash` is three octets."""
    with before(labs, "balance=ip_hash") as proxy:
        assert len({lab_of(proxy, source=address) for address in CLASS}) == 1


def test_the_hash_of_the_client_shares_a_class_and_keeps_each(labs):
    """The cure: with `hash $arg_client consistent` each client has its lab, and each lab has clients."""
    with before(labs, "balance=hash") as proxy:
        paths = [f"/shortpoll?client=client-{number}" for number in range(16)]
        first, again = ([lab_of(proxy, path) for path in paths] for _ in range(2))
        assert first == again and set(first) == {"1", "2"}


# A Redis for each lab ---------------------------------------------------------------------------

MESSAGES = 4


class Listener:
    """A listener through nginx: its messages, and how many `reset` it received."""

    def __init__(self, mode, url):
        self.mode, self.bodies, self.resets = mode, set(), 0
        self.link = Link(url, self.take, interval=0.05, client=f"client-of-{mode}")

    def take(self, events):
        """Keep what is tested."""
        self.bodies |= {event["body"] for event in events if event["type"] == "message"}
        self.resets += sum(event["type"] == "reset" for event in events)


@asynccontextmanager
async def listeners(url, places):
    """A listener of each technique at this URL, each of which has received a message of its lab."""
    first = str(uuid.uuid4())
    async with AsyncExitStack() as stack:
        for place in places:
            await publish(place, first)
        every = [Listener(mode, url) for mode in MODES]
        for one in every:
            await stack.enter_async_context(one.link)
            task = asyncio.create_task(keep_receiving(one.mode, one.link))
            stack.callback(task.cancel)
        await eventually(holds(lambda: all(first in one.bodies for one in every)), "all are connected")
        yield every


async def publish(place, body):
    """Send a message to one lab."""
    async with Link(f"http://{place}") as link:
        await send("fetch", link, body, str(uuid.uuid4()))


async def publish_at_each(places):
    """Send messages to each lab in turn; returns the bodies that each has."""
    sent = [set() for _ in places]
    for number in range(MESSAGES):
        sent[number % 2].add(body := str(uuid.uuid4()))
        await publish(places[number % 2], body)
    return sent


async def test_with_a_redis_for_each_lab_half_of_the_messages_are_missing():
    """Fault 10: a stream receives what its own lab has stored, and a poll that changes labs gets a `reset`.

    A client that stays at its lab (`balance=hash`) gets no `reset`, and half of the messages are missing too.
    """
    own = {"redis": "private", "room": f"run-{uuid.uuid4().hex}", "limits": LIMITS}
    async with several(Plan(2, own, "shared=off")) as running:
        async with listeners(running.url, running.places) as every:
            halves = await publish_at_each(running.places)
            polls, streams = (
                [one for one in every if TECHNIQUES[one.mode].verb == v] for v in ("ask", "stream")
            )
            await eventually(holds(lambda: all(one.resets > 2 for one in polls)), "polls are reset")
            await eventually(holds(lambda: all(half_of(one, halves) for one in streams)), "a half each")
        with before(running.places, "balance=hash") as sticky:
            async with listeners(sticky.url, running.places) as every:
                halves = await publish_at_each(running.places)
                await eventually(holds(lambda: all(half_of(one, halves) for one in every)), "a half each")
                assert not any(one.resets for one in every)


def half_of(listener, halves):
    """Whether it has received the messages of one lab, and none of the other's."""
    return [len(half & listener.bodies) for half in halves] in ([0, MESSAGES / 2], [MESSAGES / 2, 0])


@pytest.mark.parametrize("balance", ["round_robin", "hash"])
async def test_with_one_redis_every_client_has_every_message(balance, labs):
    """The cure: shared history, sticky or not. Every client receives all messages, and nothing is reset."""
    with before(labs, f"balance={balance}") as proxy:
        async with listeners(proxy.url, labs) as every:
            sent = set().union(*await publish_at_each(labs))
            await eventually(holds(lambda: all(one.bodies >= sent for one in every)), "all messages")
            assert not any(one.resets for one in every)
