"""The way of the listeners to the lab: direct, over a simulated slow link, or through a proxy.

The publisher always connects directly.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from lab.child import child
from lab.clients.link import LONGEST_PAUSE_S
from lab.errors import BadParameter, CannotStart
from lab.experiment.conditions import Conditions
from lab.experiment.own_lab import OwnLab, Way
from lab.experiment.simulated import Clients
from lab.json_types import JsonObject
from lab.proxy import private
from lab.proxy.programs import MODULES, read

RELEASE_S = 5.0
"""Seconds in which held-back messages arrive after the lab has ended its responses."""


def check_way(conditions: Conditions, url: str | None, certfile: object) -> None:
    """Check that a proxy can be started before the lab that is measured.

    Raises `BadParameter` for a lab that runs already or serves by https, `CannotStart` without the program.
    """
    if conditions.proxy is None:
        return
    if url is not None:
        raise BadParameter("The proxy is started for a new lab; leave out the URL.")
    if certfile:
        raise BadParameter("The proxy connects to the lab by http; leave out the certificate.")
    program = read(conditions.proxy).program
    private.find(program)


@asynccontextmanager
async def way_to(conditions: Conditions, lab: OwnLab) -> AsyncIterator[Way]:
    """The way of the listeners to the lab. Raises `CannotStart`."""
    if lab.way is not None:
        yield lab.way
    elif conditions.proxy is not None:
        plan = {"proxy": conditions.proxy, "labs": [urlsplit(lab.url).netloc]}
        async with child(MODULES[read(conditions.proxy).program], "The proxy", plan) as process:
            line = await process.receive()
            if "error" in line:
                raise CannotStart(line["error"])
            yield Way(f"http://127.0.0.1:{line['port']}", line["version"])
    elif conditions.network.slow:
        async with _slow(conditions, lab.url) as way:
            yield way
    else:
        yield Way(lab.url)


@asynccontextmanager
async def _slow(conditions: Conditions, url: str) -> AsyncIterator[Way]:
    to = urlsplit(url)
    usual = 443 if to.scheme == "https" else 80
    plan = {"host": to.hostname, "port": to.port or usual, "network": conditions.network._asdict()}
    async with child("lab.experiment.relay", "The simulated link", plan) as relay:
        yield Way(f"{to.scheme}://127.0.0.1:{(await relay.receive())['port']}{to.path}")


def more_patience(seen: JsonObject) -> float:
    """Additional seconds for listeners that failed: they may be waiting before they reconnect."""
    return LONGEST_PAUSE_S if seen.get("reconnected") or seen.get("statuses") else 0.0


async def held_back(clients: Clients, expected: int, end: Callable[[], Awaitable[None]]) -> int:
    """End the lab, so that its responses end, and return how many messages arrive only then.

    A proxy that collects responses passes on what it has at their end.
    """
    before = clients.messages
    if before >= expected:
        return 0
    await end()
    until = time.monotonic() + RELEASE_S
    while clients.messages < expected and time.monotonic() < until:  # noqa: ASYNC110 - a report changes it
        await asyncio.sleep(0.05)
    return clients.messages - before


def through(conditions: Conditions, version: str | None, seen: JsonObject) -> JsonObject | None:
    """What a run through a proxy records; None for another run."""
    if conditions.proxy is None:
        return None
    return {"switches": read(conditions.proxy).switches.as_json(), "version": version, "seen": seen}
