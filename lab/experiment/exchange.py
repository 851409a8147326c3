"""One measured exchange: the bytes of a request, a response and a message, and the time of a message.

With more than a few listeners also the work for each of them (`calibration`).

The lab has no table of sizes or times: a prediction begins with this measurement.
"""

import asyncio
import random
import secrets
import time
import uuid
from contextlib import suppress
from statistics import median

from lab.catalogue import TECHNIQUES
from lab.child import RunFailed
from lab.clients.link import Link
from lab.clients.reconnecting import keep_receiving
from lab.experiment.calibration import FEW, MOST, Place, Single, handed, work
from lab.experiment.conditions import Conditions
from lab.experiment.fleet import Events, ListenerLog
from lab.experiment.own_lab import own_lab
from lab.experiment.prediction import Exchange
from lab.experiment.probe import Probe, subtract
from lab.experiment.publisher import send, wait_until
from lab.experiment.timetable import timetable
from lab.json_types import JsonObject

LIFTED = {"rate": 0.0, "per_address": 0.0}
"""Limits that protect a class and would falsify a measurement."""
WARM_UP_MESSAGES = 10
"""Messages sent before the exchange, so that cursors have two digits as in most runs."""
EMPTY_ANSWERS = 3
"""Empty responses whose bytes are measured."""
MESSAGES = 7
PAUSE_S = 0.05, 0.06
"""Seconds between two messages, so that the machine is idle for each, as for most messages of a run. Drawn at
random, because a timer is late by a part of its tick, which an even number of ticks would hide."""
STEP_S = 0.02
"""Seconds between two looks at what has arrived: a processor that is kept awake would be faster."""
INTERVAL_S = 0.002
"""Poll interval here: short, so that the time of a message can be separated from it."""
SHARED_SETTINGS = ("redis", "certfile", "keyfile")
"""Settings that the small lab shares with the one that is measured."""
HOLD_S = 0.1
PATIENCE_S = 20.0


_known: dict[tuple[object, ...], Exchange] = {}


async def exchange(mode: str, conditions: Conditions, settings: JsonObject | None = None) -> Exchange:
    """Measure bytes and time of one exchange, in a small lab of its own; once for the same conditions.

    Takes a second, and with more than a few listeners up to two more. `settings` are those of the small lab
    (which Redis). Raises `CannotStart`.
    """
    c = conditions
    kept = {name: value for name, value in (settings or {}).items() if name in SHARED_SETTINGS}
    certfile = kept.get("certfile")
    listeners = min(c.clients, MOST) if c.clients > FEW else 1
    key = (
        mode,
        listeners,
        c.headers,
        c.keep_alive,
        c.compress,
        c.subprotocol,
        c.payload,
        f"{c.hold:g}",
        certfile,
    )
    if key not in _known:
        own = {"room": f"run-{secrets.token_hex(6)}", "hold": HOLD_S, "compress": c.compress}
        limits = LIFTED | (settings or {}).get("limits", {})
        async with own_lab({"port": 0} | kept | own | {"limits": limits}) as lab:
            _known[key] = await _calibrate(mode, conditions, lab.url, certfile)
    return _known[key]


def link_of(conditions: Conditions, url: str, cursor: str, certfile: str | None = None) -> JsonObject:
    """The fields of a listener's `Link` under these conditions."""
    return {
        "url": url,
        "after": cursor,
        "interval": conditions.interval,
        "hold": conditions.hold,
        "browser": conditions.headers == "browser",
        "keep_alive": conditions.keep_alive,
        "compress": bool(conditions.compress),
        "subprotocol": conditions.subprotocol,
        "certfile": certfile,
    }


async def _calibrate(mode: str, conditions: Conditions, url: str, certfile: str | None) -> Exchange:
    bodies = [planned.body for planned in timetable(_chatty(conditions))]
    fields = link_of(conditions, url, "latest", certfile)
    async with Probe(url, certfile) as probe, Link(**fields) as publisher:
        for body in bodies[MESSAGES:]:
            cursor = (await send(mode, publisher, body, str(uuid.uuid4())))["id"]
        fields |= {"after": cursor, "interval": INTERVAL_S}
        one, single = await _one(mode, fields, probe, publisher, bodies)
        if conditions.clients <= FEW:
            return one
        fields |= {"after": "latest", "hold": conditions.hold}
        at = Place(mode, fields, min(conditions.clients, MOST))
        return one._replace(work=await work(at, probe, publisher, bodies, single))


async def _one(
    mode: str, fields: JsonObject, probe: Probe, publisher: Link, bodies: list[str]
) -> tuple[Exchange, Single]:
    """Measure one listener."""
    log = ListenerLog(Events())
    async with Link(**fields, on_events=log.add) as link:
        listening = asyncio.create_task(keep_receiving(mode, link))
        try:
            return await asyncio.wait_for(_listen(mode, probe, publisher, bodies, log), PATIENCE_S)
        except TimeoutError as error:
            raise RunFailed(f"One exchange by {mode} took more than {PATIENCE_S:g} s.") from error
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening


def _chatty(conditions: Conditions) -> Conditions:
    return Conditions(rate=1, duration=MESSAGES + WARM_UP_MESSAGES, payload=conditions.payload)


async def _listen(
    mode: str, probe: Probe, publisher: Link, bodies: list[str], log: ListenerLog
) -> tuple[Exchange, Single]:
    """Measure a listener without messages, and then with some messages one by one."""
    verb, (before, quiet) = TECHNIQUES[mode].verb, await _silence(mode, probe)
    delay = median([await _delay(mode, publisher, body, log) for body in bodies[:MESSAGES]])
    transit = _without_waiting(delay) if verb == "ask" else delay
    after = await probe.snapshot(mode)
    spent = (after["cpu_s"] - before["cpu_s"]) / MESSAGES
    to_socket = handed(quiet, after["receive"])
    single = Single(transit, to_socket, max(0.0, delay - to_socket), spent)
    return _weights(verb, quiet, after["receive"])._replace(transit=transit), single


def _weights(verb: str, quiet: JsonObject, whole: JsonObject) -> Exchange:
    """The bytes, from the meter after the silence and after all messages."""
    answer, news = quiet["bytes_out"] / (quiet["empty"] or 1), subtract(whole, quiet)
    if verb == "stream":
        return Exchange(quiet["bytes_in"], answer, (news["bytes_in"] + news["bytes_out"]) / MESSAGES)
    empty_again = (news["empty"] + MESSAGES) * answer
    message = (news["bytes_out"] - empty_again) / MESSAGES
    return Exchange(whole["bytes_in"] / whole["requests"], answer, message)


async def _delay(mode: str, publisher: Link, body: str, log: ListenerLog) -> float:
    """Seconds from the planned send of one message to its arrival."""
    planned, before = time.monotonic() + random.uniform(*PAUSE_S), log.messages
    await wait_until(planned, asyncio.Event())
    await send(mode, publisher, body, str(uuid.uuid4()))
    while log.messages == before:  # noqa: ASYNC110 - a callback receives it
        await asyncio.sleep(STEP_S)
    return log.received[-1][1] - planned


def _without_waiting(delay: float) -> float:
    """The transit t of a short poller's message: the delay is t and half a cycle of interval + t."""
    return max(0.0, (delay - INTERVAL_S / 2) / 1.5)


async def _silence(mode: str, probe: Probe) -> tuple[JsonObject, JsonObject]:
    """The snapshot, and its meter of receiving, after a few empty responses or a stream's beginning."""
    while True:
        found = await probe.snapshot(mode)
        receive: JsonObject = found["receive"]
        begun = (
            receive["bytes_out"] if TECHNIQUES[mode].verb == "stream" else receive["empty"] >= EMPTY_ANSWERS
        )
        if begun:
            return found, receive
        await asyncio.sleep(0.01)
