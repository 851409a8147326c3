"""One measured exchange: the bytes of a request, a response and a message, and the time of a message.

The lab has no table of sizes or times: a prediction begins with this measurement.
"""

import asyncio
import secrets
import time
import uuid
from contextlib import suppress
from statistics import median

from lab.catalogue import TECHNIQUES
from lab.clients.link import Link
from lab.clients.reconnecting import keep_receiving
from lab.experiment.child import RunFailed
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
PAUSE_S = 0.05
"""Seconds between two messages, so that the machine is idle for each, as for most messages of a run."""
INTERVAL_S = 0.002
"""Poll interval here: short, so that the time of a message can be separated from it."""
SHARED_SETTINGS = ("redis", "certfile", "keyfile")
"""Settings that the small lab shares with the one that is measured."""
HOLD_S = 0.1
PATIENCE_S = 20.0


_known: dict[tuple[object, ...], Exchange] = {}


async def exchange(mode: str, conditions: Conditions, settings: JsonObject | None = None) -> Exchange:
    """Measure bytes and time of one exchange, in a small lab of its own; once for the same conditions.

    Takes a second. `settings` are those of the small lab (which Redis). Raises `CannotStart`.
    """
    c = conditions
    kept = {name: value for name, value in (settings or {}).items() if name in SHARED_SETTINGS}
    certfile = kept.get("certfile")
    key = (mode, c.headers, c.keep_alive, c.compress, c.subprotocol, c.payload, f"{c.hold:g}", certfile)
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
    log = ListenerLog(Events())
    fields = link_of(conditions, url, "latest", certfile)
    async with Probe(url, certfile) as probe, Link(**fields) as publisher:
        for body in bodies[MESSAGES:]:
            cursor = (await send(mode, publisher, body, str(uuid.uuid4())))["id"]
        fields |= {"after": cursor, "interval": INTERVAL_S, "on_events": log.add}
        async with Link(**fields) as link:
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


async def _listen(mode: str, probe: Probe, publisher: Link, bodies: list[str], log: ListenerLog) -> Exchange:
    """Measure a listener without messages, and then with some messages one by one."""
    quiet = await _silence(mode, probe)
    delay = median([await _delay(mode, publisher, body, log) for body in bodies[:MESSAGES]])
    whole = (await probe.snapshot(mode))["receive"]
    answer = quiet["bytes_out"] / (quiet["empty"] or 1)
    news = subtract(whole, quiet)
    if TECHNIQUES[mode].verb == "stream":
        return Exchange(quiet["bytes_in"], answer, (news["bytes_in"] + news["bytes_out"]) / MESSAGES, delay)
    empty_again = (news["empty"] + MESSAGES) * answer
    message = (news["bytes_out"] - empty_again) / MESSAGES
    transit = delay if TECHNIQUES[mode].verb == "wait" else _without_waiting(delay)
    return Exchange(whole["bytes_in"] / whole["requests"], answer, message, transit)


async def _delay(mode: str, publisher: Link, body: str, log: ListenerLog) -> float:
    """Seconds from the planned send of one message to its arrival."""
    planned, before = time.monotonic() + PAUSE_S, log.messages
    await wait_until(planned, asyncio.Event())
    await send(mode, publisher, body, str(uuid.uuid4()))
    while log.messages == before:  # noqa: ASYNC110 - a callback receives it
        await asyncio.sleep(0.002)
    return log.received[-1][1] - planned


def _without_waiting(delay: float) -> float:
    """The transit t of a short poller's message: the delay is t and half a cycle of interval + t."""
    return max(0.0, (delay - INTERVAL_S / 2) / 1.5)


async def _silence(mode: str, probe: Probe) -> JsonObject:
    """The meter after a few empty responses, or after the beginning of a stream."""
    while True:
        receive: JsonObject = (await probe.snapshot(mode))["receive"]
        begun = (
            receive["bytes_out"] if TECHNIQUES[mode].verb == "stream" else receive["empty"] >= EMPTY_ANSWERS
        )
        if begun:
            return receive
        await asyncio.sleep(0.01)
