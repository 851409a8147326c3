"""The publisher: sends every message at its planned time, whether or not earlier ones were answered."""

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from lab.catalogue import client_side
from lab.clients.link import Link, Refused
from lab.experiment.conditions import Conditions
from lab.experiment.records import Record, digest, place
from lab.experiment.timetable import Planned, timetable
from lab.json_types import JsonObject

Progress = Callable[[float, str], None]
NAME = "publisher"


@dataclass
class Sent:
    """The sends of the publisher: the result of each message, and its planned time."""

    start: float = 0.0
    records: list[Record] = field(default_factory=list)
    planned: dict[str, float] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)
    """How much later than planned each message was begun, in seconds."""

    @property
    def stored(self) -> int:
        """How many messages the lab has accepted."""
        return sum(record.kind == "ack" for record in self.records)


async def send(mode: str, link: Link, body: str, mid: str) -> JsonObject:
    """Send one message by a technique. Returns `{"id", "duplicate"}`; raises the client's errors."""
    message = {"mid": mid, "username": NAME, "body": body}
    stored: JsonObject = await client_side(mode).send(link, message)
    return stored


async def publish(
    mode: str, conditions: Conditions, link: Link, stop: asyncio.Event, progress: Progress
) -> Sent:
    """Send all messages of the timetable, which begins now. Setting `stop` ends it early."""
    plan = timetable(conditions)
    sent = Sent(start=time.monotonic())
    sending: list[asyncio.Task[None]] = []
    for number, planned in enumerate(plan, 1):
        await wait_until(sent.start + planned.at, stop)
        if stop.is_set():
            break
        sending.append(asyncio.create_task(_send(mode, link, planned, sent)))
        progress(planned.at / conditions.duration, f"{number} of {len(plan)} messages sent")
    await wait_until(sent.start + conditions.duration, stop)
    await asyncio.gather(*sending)
    progress(1.0, f"{sent.stored} messages sent")
    return sent


async def wait_until(moment: float, stop: asyncio.Event) -> None:
    """Wait for a moment on the monotonic clock, or for `stop` if that is earlier."""
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stop.wait(), max(0.0, moment - time.monotonic()))


async def _send(mode: str, link: Link, planned: Planned, sent: Sent) -> None:
    mid = str(uuid.uuid4())  # not from the seed: a second run must not look like a repetition of the first
    sent.planned[mid] = sent.start + planned.at
    sent.late.append(time.monotonic() - sent.planned[mid])
    kind, at = "unknown", (0, 0)
    try:
        answer = await send(mode, link, planned.body, mid)
        kind, at = "ack", place(answer["id"])
    except Refused as refused:
        kind = "unknown" if refused.unknown else "fail"
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass  # it may be stored or not
    content = mid, digest(NAME, planned.body)
    sent.records.append(Record(time.monotonic(), NAME, mode, kind, *at, *content))
