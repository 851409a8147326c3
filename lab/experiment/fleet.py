"""The simulated clients of a run, in a separate process, so that they use no time of the server's.

`python -m lab.experiment.fleet PLAN`, with a plan in JSON. When there are several such processes each has a
part of the listeners: `clients` of them, the first with the number `first`, `of` so many in all. It prints
lines of JSON with the number of received messages, its own processor time, and how late its timer was. A line
on standard input has the number of messages that each listener should receive: it waits for them, reports
that, and stays connected until the next line, so that no disconnection is counted. Then it reports what
arrived when, and ends. It also ends when its standard input does.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from lab.catalogue import TECHNIQUES
from lab.clients.attempts import Attempts
from lab.clients.link import Event, Link
from lab.clients.reconnecting import keep_receiving
from lab.clients.seen import Seen, summed
from lab.json_types import JsonObject

REPORT_S = 0.2
COLLECT_AFTER = (50_000, 20, 1000)
"""Thresholds of Python's cycle collector: with the default of 700 it would visit every listener again and
again, because each received message is kept."""


class Events:
    """All different events that the listeners received; an event received by many is kept once."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._first: dict[str | None, int] = {}

    def number(self, event: Event) -> int:
        """The number of this event, the same for all listeners that received it."""
        place = event.get("id")
        number = self._first.get(place)
        if number is None or (self.all[number] is not event and self.all[number] != event):
            number = len(self.all)
            self.all.append(event)
            self._first.setdefault(place, number)
        return number


class ListenerLog:
    """What one listener received and when, in order."""

    def __init__(self, known: Events) -> None:
        self.known = known
        self.received: list[tuple[int, float]] = []
        self.messages = 0
        self.missed = 0
        self.attempts = Attempts()
        self.seen = Seen()

    def add(self, events: list[Event]) -> None:
        """Record received events with the current time."""
        now = time.monotonic()
        for event in events:
            self.received.append((self.known.number(event), now))
            if event["type"] == "message":
                self.messages += 1
            elif event["type"] == "gap":
                self.missed += event["missed"]

    def ask(self) -> None:
        """A request is sent."""
        self.attempts.ask()
        self.seen.ask()

    def fail(self, error: Exception) -> None:
        """The request failed, or its connection has ended."""
        self.attempts.fail(error)
        self.seen.fail(error)


OnReport = Callable[[list[ListenerLog], Events], None]
"""Called with the logs of all listeners, and all events that they have received."""


async def listen(plan: JsonObject, on_report: OnReport = lambda logs, known: None) -> None:
    """Run all listeners until the second line on standard input. `on_report` is called at each report."""
    gc.set_threshold(*COLLECT_AFTER)
    known, first = Events(), plan.get("first", 0)
    logs = [ListenerLog(known) for _ in range(plan["clients"])]
    tasks = [asyncio.create_task(one(plan, log, number)) for number, log in enumerate(logs, first)]
    waits = TECHNIQUES[plan["mode"]].verb == "wait"
    reporting = asyncio.create_task(progress(logs, tasks, waits, partial(on_report, logs, known)))
    expected, orders = 0, await asyncio.to_thread(sys.stdin.readline)
    if orders:
        expected = await wait_for_all(logs, tasks, **json.loads(orders))
        report({"heard_out": True} | totals(logs) | effort())
        await asyncio.to_thread(sys.stdin.readline)
    reporting.cancel()
    away, failure = kept_away(logs, expected, waits, first), given_up(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    outcome = {"all_received": [log.received for log in logs], "events": known.all}
    report(outcome | {"away": away, "failure": failure})


async def one(plan: JsonObject, log: ListenerLog, number: int) -> None:
    """One listener, which starts at its own part of the interval, so that pollers are not synchronised."""
    if TECHNIQUES[plan["mode"]].verb == "ask":
        await asyncio.sleep(plan["link"]["interval"] * number / plan.get("of", plan["clients"]))
    callbacks: JsonObject = {"asks": log.ask, "accepts": log.attempts.accept, "fails": log.fail}
    client = f"client-{number}" if plan.get("named") else None
    async with Link(on_events=log.add, client=client, **callbacks, **plan["link"]) as link:
        await keep_receiving(plan["mode"], link)


async def progress(
    logs: list[ListenerLog],
    tasks: list[asyncio.Task[None]],
    waits: bool,
    on_report: Callable[[], None] = lambda: None,
) -> None:
    """Report regularly how many messages were received in all, and how many listeners are connected.

    `on_report` is called after each report.
    """
    planned = time.monotonic() + REPORT_S
    while True:
        await asyncio.sleep(planned - time.monotonic())
        late = delays(time.monotonic() - planned)
        planned += REPORT_S * len(late)
        now = {"failure": given_up(tasks), "late_s": late}
        report(now | totals(logs) | connected(logs, waits) | effort())
        on_report()


def delays(late_s: float) -> list[float]:
    """The delay of each report that is due, when the first is so late: a long pause counts for its length."""
    return [late_s - number * REPORT_S for number in range(1 + int(late_s / REPORT_S))]


def totals(logs: list[ListenerLog]) -> JsonObject:
    """How many messages all listeners received, and what they saw of the way to the lab."""
    return {"heard": sum(log.messages for log in logs), "seen": summed(log.seen for log in logs)}


def connected(logs: list[ListenerLog], waits: bool) -> JsonObject:
    """How many listeners are connected, and why others could not connect."""
    here = [log.attempts.there(waits) for log in logs]
    out = [log.attempts for log, there in zip(logs, here, strict=True) if not there and log.attempts.kept_out]
    return {"there": sum(here), "out": Counter(attempts.reason for attempts in out)}


def kept_away(logs: list[ListenerLog], expected: int, waits: bool, first: int = 0) -> dict[int, str]:
    """Listeners, by number, that missed messages because they were not connected, with the reason.

    That is a listener which has not received all, and is not connected, or has reconnected too late. A
    connected one must receive every message that the lab still keeps.
    """
    lacking = {number: log for number, log in enumerate(logs, first) if log.messages < expected}
    return {
        number: log.attempts.reason
        for number, log in lacking.items()
        if log.attempts.reason and (log.missed or not log.attempts.there(waits))
    }


def given_up(tasks: list[asyncio.Task[None]]) -> str | None:
    """Why the first listener that gave up did so."""
    ended = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    return str(ended[0]) or repr(ended[0]) if ended else None


def effort() -> dict[str, float]:
    """The time and the processor time of this process so far, to check whether it kept up."""
    return {"t_s": time.monotonic(), "cpu_s": time.process_time()}


async def wait_for_all(
    logs: list[ListenerLog], tasks: list[asyncio.Task[None]], expected: int, patience_s: float
) -> int:
    """Wait until every listener has received all messages, or for `patience`. Returns the last report."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until and any(log.messages + log.missed < expected for log in logs):
        if all(task.done() for task in tasks):
            break
        await asyncio.sleep(0.02)
    return expected


def report(news: JsonObject) -> None:
    """One line of JSON for the process that started this one."""
    try:
        sys.stdout.write(json.dumps(news) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the end of standard input ends this process in a moment
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    asyncio.run(listen(json.loads(sys.argv[1])))
