"""What each of several listeners costs: measured with the simulated clients at a lab at rest.

A few messages, each sent when the one before has reached all and every poller has asked again. The delay of
the listeners gives w, the processor time of the two processes the work of each side (`queueing.Work`). Short
pollers ask as fast as they can, which gives the time of one poll.
"""

import asyncio
import time
import uuid
from statistics import mean, median
from typing import NamedTuple

from lab.catalogue import TECHNIQUES
from lab.child import RunFailed
from lab.clients.link import Link
from lab.experiment.probe import Probe, subtract
from lab.experiment.publisher import send, wait_until
from lab.experiment.queueing import Work
from lab.experiment.records import place
from lab.experiment.simulated import Clients, simulated
from lab.json_types import JsonObject
from lab.results.client_load import client_load

FEW = 4
"""With so many listeners the time of a single one is near enough."""
MOST = 60
"""Most listeners of a calibration; the cost of more of them is in proportion."""
BURSTS = 7
SATURATED_S = 0.5
"""How long short pollers ask as fast as they can."""
PATIENCE_S = 20.0
STEP_S = 0.03


class Single(NamedTuple):
    """What is known of a single listener: a message's transit, its parts, and processor time."""

    transit: float
    handed: float
    """From a message's acceptance until it was handed to the socket."""
    rest: float
    """The rest of its delay: before the acceptance, and from the socket to the client's code."""
    server_cpu: float
    """Of the server for one message: for its send and for one listener."""


class Place(NamedTuple):
    """Where to calibrate: the technique, the listeners' `Link`, and how many listeners."""

    mode: str
    link: JsonObject
    listeners: int


async def work(at: Place, probe: Probe, publisher: Link, bodies: list[str], single: Single) -> Work:
    """Measure what each of so many listeners costs. Raises `RunFailed` when it takes too long."""
    plan = {"mode": at.mode, "clients": at.listeners, "link": at.link}
    measured = _saturated if TECHNIQUES[at.mode].verb == "ask" else _in_turn
    async with simulated(plan, asyncio.Event()) as clients:
        try:
            doing = measured(at, clients, probe, publisher, bodies, single)
            return await asyncio.wait_for(clients.during(doing), PATIENCE_S)
        except TimeoutError as error:
            raise RunFailed(
                f"{at.listeners} listeners by {at.mode} took more than {PATIENCE_S:g} s."
            ) from error


async def _in_turn(
    at: Place, clients: Clients, probe: Probe, publisher: Link, bodies: list[str], single: Single
) -> Work:
    before = await _connected(at, clients, probe)
    sent: dict[str, float] = {}
    looks = 1
    for body in bodies[:BURSTS]:
        planned = time.monotonic() + STEP_S
        await wait_until(planned, asyncio.Event())
        sent[(await send(at.mode, publisher, body, str(uuid.uuid4())))["id"]] = planned
        looks += await _received(at, probe, before, len(sent))
    after = await probe.snapshot(at.mode)
    after["cpu_s"] -= looks * ((await probe.snapshot(at.mode))["cpu_s"] - after["cpu_s"])
    await clients.wait_for_all(len(sent), PATIENCE_S)
    delays = _delays(await clients.all_received(), sent)
    return _work(at, single, clients, (before, after), delays)


def _work(
    at: Place, single: Single, clients: Clients, meters: tuple[JsonObject, JsonObject], delays: list[float]
) -> Work:
    """The work of each listener, from the mean delay of each message and from processor times."""
    before, after = meters
    others, messages = at.listeners - 1, len(delays)
    in_turn = 2 * (median(delays) - single.transit) / others
    to_sockets = 2 * (handed(before["receive"], after["receive"]) - single.handed) / others
    spent = (after["cpu_s"] - before["cpu_s"]) / messages - single.server_cpu
    (process,) = clients.efforts
    own = (process.moments[-1]["cpu_s"] - process.moments[0]["cpu_s"]) / messages / at.listeners
    outside = max(0.0, single.rest - own)
    handed_turn, server = max(0.0, min(to_sockets, in_turn)), max(0.0, spent / others)
    return Work(max(0.0, in_turn), handed_turn, server, own, outside, once=max(0.0, single.server_cpu))


async def _saturated(
    at: Place, clients: Clients, probe: Probe, publisher: Link, bodies: list[str], single: Single
) -> Work:
    """Pollers that ask as fast as they can: the slower side works all the time, and each poll takes it."""
    before, start = await _connected(at, clients, probe), time.monotonic()
    await asyncio.sleep(SATURATED_S)
    after, seconds = await probe.snapshot(at.mode), time.monotonic() - start
    polls = after["receive"]["requests"] - before["receive"]["requests"]
    share = client_load(clients.efforts, [0.0])["cpu_share"] or 0.0
    server, own = (after["cpu_s"] - before["cpu_s"]) / polls, share * seconds / polls
    slower = seconds / polls
    return Work(
        0.0,
        0.0,
        slower if server >= own else server,
        slower if own > server else own,
        max(0.0, single.rest - own),
    )


async def _connected(at: Place, clients: Clients, probe: Probe) -> JsonObject:
    """Wait until all are connected and their processor time is counted; returns the meters."""
    while not clients.all_there:  # noqa: ASYNC110 - reports of another process set it
        await asyncio.sleep(STEP_S)
    clients.begin()
    while not clients.efforts[0].moments:  # noqa: ASYNC110 - the same
        await asyncio.sleep(STEP_S)
    return await probe.snapshot(at.mode)


async def _received(at: Place, probe: Probe, before: JsonObject, messages: int) -> int:
    """Wait until so many messages have reached all, and all pollers have asked again.

    Returns how often it has read the meters, which takes the server's time too.
    """
    counted = "requests" if TECHNIQUES[at.mode].verb == "wait" else "messages"
    grown = looks = 0
    while grown < messages * at.listeners:
        await asyncio.sleep(STEP_S)
        now = await probe.snapshot(at.mode)
        grown, looks = subtract(now["receive"], before["receive"])[counted], looks + 1
    return looks


def _delays(received: JsonObject, sent: dict[str, float]) -> list[float]:
    """The mean delay of each message over its listeners."""
    places = {place(id_): planned for id_, planned in sent.items()}
    planned = {n: places.get(place(event["id"])) for n, event in enumerate(received["events"])}
    found: dict[float, list[float]] = {moment: [] for moment in sent.values()}
    for arrivals in received["all_received"]:
        for number, moment in arrivals:
            if (at := planned[number]) is not None:
                found[at].append(moment - at)
    return [mean(delays) for delays in found.values()]


def handed(before: JsonObject, after: JsonObject) -> float:
    """The mean time until a message was handed to the sockets, of the messages between two readings."""
    early, late = before["delivery_s"], after["delivery_s"]
    counted = late["count"] - early["count"]
    return float((late["mean"] * late["count"] - (early["mean"] or 0.0) * early["count"]) / counted)
