"""A latency that needs no second clock: a process publishes messages and receives them itself.

This is the way to the lab and back, with one listener and a lab at rest, so it is no measure of a busy lab.
It is measured after the run, because it would add to the run's messages.
"""

import asyncio
import random
import time
import uuid
from contextlib import suppress

import aiohttp

from lab.catalogue import TECHNIQUES, client_side
from lab.clients.link import Event, Link, Refused
from lab.clients.reconnecting import keep_receiving
from lab.json_types import JsonObject

NAME = "publisher"
MOST_MESSAGES = 50
MOST_S = 3.0
"""Seconds after which no further message is sent."""
ARRIVES_S = 5.0
"""Seconds that a message may take; after that the figure is what was measured until then."""
PAUSE_S = 0.02
"""Longest pause between two messages; a poller's is its interval, so that they find it anywhere in that."""


class Arrivals:
    """The moments at which messages arrive, by `mid`."""

    def __init__(self) -> None:
        self._awaited: dict[str, asyncio.Future[float]] = {}

    def expect(self, mid: str) -> "asyncio.Future[float]":
        """The moment at which this message arrives."""
        self._awaited[mid] = asyncio.get_running_loop().create_future()
        return self._awaited[mid]

    def add(self, events: list[Event]) -> None:
        """Note the current time for each message that is expected."""
        now = time.monotonic()
        for event in events:
            if (expected := self._awaited.pop(event.get("mid", ""), None)) and not expected.done():
                expected.set_result(now)


async def same_machine(mode: str, link: JsonObject) -> list[float]:
    """Publish messages one after the other, and return how long each took to arrive here, in seconds.

    `link` has the arguments of a `Link`. A lab that refuses a message, or is silent, ends it early.
    """
    took: list[float] = []
    arrivals = Arrivals()
    async with Link(**link) as publisher:
        with suppress(Refused, TimeoutError, aiohttp.ClientError, OSError):
            first: str = (await _send(mode, publisher, str(uuid.uuid4())))["id"]
            async with Link(**link | {"after": first}, on_events=arrivals.add) as listener:
                receiving = asyncio.create_task(keep_receiving(mode, listener))
                try:
                    await _all(mode, publisher, arrivals, took)
                finally:
                    receiving.cancel()
                    await asyncio.gather(receiving, return_exceptions=True)
    return took


async def _all(mode: str, publisher: Link, arrivals: Arrivals, took: list[float]) -> None:
    """Send them; the first only waits until the listener is connected."""
    pause = publisher.interval if TECHNIQUES[mode].verb == "ask" else PAUSE_S
    until = time.monotonic() + MOST_S
    await _one(mode, publisher, arrivals)
    while len(took) < MOST_MESSAGES and time.monotonic() < until:
        await asyncio.sleep(random.uniform(0, min(pause, MOST_S)))
        took.append(await _one(mode, publisher, arrivals))


async def _one(mode: str, publisher: Link, arrivals: Arrivals) -> float:
    mid = str(uuid.uuid4())
    arrived, sent = arrivals.expect(mid), time.monotonic()
    async with asyncio.timeout(ARRIVES_S):
        await _send(mode, publisher, mid)
        return await arrived - sent


async def _send(mode: str, publisher: Link, mid: str) -> JsonObject:
    message = {"mid": mid, "username": NAME, "body": "same machine"}
    stored: JsonObject = await client_side(mode).send(publisher, message)
    return stored
