"""Faults of a proxy: what listeners of each technique see through a real nginx, and with the cure.

The symptoms are those that nginx 1.22 shows with this lab. All seven techniques go through one nginx at the
same time; the messages are sent directly to the lab.
"""

import asyncio
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import pytest

from lab.catalogue import MODES, TECHNIQUES
from lab.clients.link import Link, Refused
from lab.clients.reconnecting import keep_receiving
from lab.clients.seen import Seen, summed
from lab.experiment.publisher import send
from lab.proxy.nginx import Nginx
from lab.proxy.switches import parse
from tests.support.again import if_the_lab_stood_still
from tests.support.wire import HOST, fetch

pytestmark = [pytest.mark.needs("nginx"), pytest.mark.timeout(120)]

OK = "ok"
LATE = "nothing until the response ends"
CUT = "cut, and reconnected"
PATIENCE_S = 20.0
SILENCE_S = 1.5
"""Longer than the timeouts of the faults here, shorter than a hold and a pause between heartbeats."""
BODIES = ["one", "two"]
TIMED_OUT = "upstream timed out (110: Connection timed out) while reading"


class Fault(NamedTuple):
    """A fault, its symptom for each technique, its cure, and a piece of nginx's error log."""

    switches: str
    symptoms: dict[str, str]
    cure: str = "good"
    lab: tuple[tuple[str, float], ...] = ()
    """Settings of the lab that are the cure, where the cure is not in the proxy."""
    log: str | None = None


def of_verb(ask=OK, wait=OK, stream=OK, **others):
    """One symptom for each verb, and those that differ for one technique."""
    verbs = {"ask": ask, "wait": wait, "stream": stream}
    return {mode: verbs[technique.verb] for mode, technique in TECHNIQUES.items()} | others


QUICK = (("hold", 0.4), ("heartbeat", 0.4))
"""A hold and a pause between heartbeats that are shorter than the timeouts of the faults here."""
FAULTS = {
    "1 timeout below hold and heartbeat": Fault(
        "timeout=1s",
        of_verb(wait="504", stream=CUT, websocket="close 1006"),
        cure="timeout=1s",
        lab=QUICK,
        log=TIMED_OUT,
    ),
    "2 buffering of chunked responses": Fault("buffering=on", of_verb()),
    "2 buffering, with HTTP/1.0 to the lab": Fault(
        "buffering=on,http=1.0", of_verb(stream=LATE, websocket="426")
    ),
    "3 no Upgrade": Fault("upgrade=off", of_verb(websocket="426")),
    "3 HTTP/1.0 to the lab": Fault("http=1.0", of_verb(websocket="426")),
    "4 Connection: upgrade for everything": Fault("upgrade=always", of_verb()),
    "5 no Host": Fault("host=off", of_verb("421", "421", "421")),
    "7 idle streams are closed": Fault(
        "idle=1s", of_verb(stream=CUT, websocket="close 1006"), cure="idle=1s", lab=QUICK, log=TIMED_OUT
    ),
    "8 gzip of pieces that are passed on": Fault("gzip=on", of_verb()),
    "8 gzip of pieces that are collected": Fault(
        "gzip=on,buffering=on", of_verb(stream=LATE, websocket=OK), cure="gzip=on"
    ),
}


class Listening:
    """One listener of a technique behind the proxy: what has arrived, and what it saw."""

    def __init__(self, mode, url, place):
        self.mode, self.seen, self.bodies = mode, Seen(), []
        self.link = Link(
            url,
            self.take,
            place,
            interval=0.1,
            asks=self.seen.ask,
            fails=self.seen.fail,
        )

    def take(self, events):
        """Keep the bodies of messages."""
        self.bodies += [event["body"] for event in events if event["type"] == "message"]

    @property
    def refused(self):
        """The status with which it was refused for good."""
        error = self.task.exception() if self.task.done() else None
        return str(error.status) if isinstance(error, Refused) else None

    async def __aenter__(self):
        self.task = asyncio.create_task(keep_receiving(self.mode, self.link))
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.link.__aexit__()

    def settled(self, expected):
        """Whether it is refused where it should be, or has every message, each once, unless that is late."""
        return expected == LATE or bool(self.refused) or self.bodies == BODIES

    def symptom(self):
        """What it saw, in one word."""
        found = summed([self.seen])
        if status := self.refused or next(iter(found["statuses"]), None):
            return status
        if found["close_codes"]:
            return f"close {next(iter(found['close_codes']))}"
        if found["cuts"]:
            return CUT
        return OK if self.bodies == BODIES else LATE


async def until(probe, what):
    """Wait until something is so."""
    limit = time.monotonic() + PATIENCE_S
    while not probe():
        assert time.monotonic() < limit, what()
        await asyncio.sleep(0.02)


@asynccontextmanager
async def listeners(lab, proxy):
    """A listener of each technique through the proxy, and what sends a message directly to the lab."""
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(Link(f"http://{HOST}:{lab.port}"))

        async def publish(body):
            return await send("fetch", publisher, body, str(uuid.uuid4()))

        place = (await publish("the first"))["id"]
        every = [Listening(mode, proxy.url, place) for mode in MODES]
        for one in every:
            await stack.enter_async_context(one)
        yield every, publish


async def symptoms_through(proxy, lab, expected):
    """Send a message after a silence, and another; returns what each technique's listener saw.

    Every listener that is not refused or held back must receive both, each once.
    """
    async with listeners(lab, proxy) as (every, publish):
        await asyncio.sleep(SILENCE_S)  # the silence itself is what is tested: nothing happens with the cure
        for body in BODIES:
            await publish(body)
        await until(lambda: all(one.settled(expected[one.mode]) for one in every), lambda: symptoms(every))
        seen = symptoms(every)
        await asyncio.to_thread(lab.stop)
        await until(
            lambda: all(one.refused or one.bodies == BODIES for one in every), lambda: f"{seen}: lost"
        )
        return seen


def symptoms(every):
    """What each technique's listener saw."""
    return {one.mode: one.symptom() for one in every}


@if_the_lab_stood_still
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_fault_has_its_symptom(fault, start_lab):
    """Each technique shows the symptom of the fault, and what is held back arrives when the response ends."""
    lab = await asyncio.to_thread(start_lab)
    with Nginx(parse(fault.switches), [f"{HOST}:{lab.port}"]) as proxy:
        assert await symptoms_through(proxy, lab, fault.symptoms) == fault.symptoms
        assert fault.log is None or any(fault.log in complaint.text for complaint in proxy.complaints())


CURED = {name: fault for name, fault in FAULTS.items() if set(fault.symptoms.values()) != {OK}}
CURES = dict.fromkeys((fault.cure, fault.lab) for fault in CURED.values())


@if_the_lab_stood_still
@pytest.mark.parametrize(("cure", "settings"), CURES, ids=str)
async def test_a_cure_leaves_no_symptom(cure, settings, start_lab):
    """With the cure of each fault every technique receives all messages, and no listener sees an error."""
    lab = await asyncio.to_thread(start_lab, **dict(settings))
    with Nginx(parse(cure), [f"{HOST}:{lab.port}"]) as proxy:
        assert await symptoms_through(proxy, lab, of_verb()) == of_verb()


POLLS = 10


@pytest.mark.parametrize(
    ("switches", "to_lab", "of_client"),
    [
        ("good", 1, 1),
        ("upgrade=always", 1, 1),
        ("upgrade=off", POLLS, 1),
        ("http=1.0", POLLS, 1),
        ("keepalive=5", 1, POLLS // 5),
    ],
)
async def test_connections_of_a_poller(switches, to_lab, of_client, start_lab):
    """How many connections ten polls need between nginx and lab, and between client and nginx.

    `Connection: upgrade` for everything costs none here; without it nginx sends `close`, as in HTTP/1.0.
    """
    lab = await asyncio.to_thread(start_lab)
    with Nginx(parse(switches), [f"{HOST}:{lab.port}"]) as proxy:
        async with Link(proxy.url) as link:
            for _ in range(POLLS):
                async with link.request("GET", "/shortpoll", {}) as answer:
                    assert answer.status == 200
        meter = (await fetch(lab.port, "GET", "/meters")).json["techniques"]["shortpoll"]["receive"]
        assert (meter["requests"], meter["connections"]) == (POLLS, to_lab)
        await until(lambda: len(proxy.answers()) == POLLS, lambda: "the access log has each request")
        assert len({answer["connection"] for answer in proxy.answers()}) == of_client
