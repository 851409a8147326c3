"""A measured run: a lab, simulated clients, and a publisher that keeps a timetable.

What is counted: each listener's first request, until the server has seen them all, and then everything
from the timetable's zero until its time is over, every message has arrived and, by theory
(`Prediction.window_s`), every poller has asked again: a run ends as it began. Warm-up is not counted:
starting the processes, a first message before any listener connects, and the pause `HEAD_START_S`. Processor
time is counted from the timetable's zero.
"""

import asyncio
import secrets
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from lab.catalogue import TECHNIQUES
from lab.clients.link import Link, Refused
from lab.errors import CannotStart
from lab.experiment.child import RunFailed, child
from lab.experiment.conditions import Conditions
from lab.experiment.connecting import NotConnected, allow_files
from lab.experiment.exchange import LIFTED, exchange, link_of
from lab.experiment.one_message import one_message
from lab.experiment.own_lab import own_lab
from lab.experiment.prediction import Prediction, predict_run
from lab.experiment.probe import Probe, difference, subtract
from lab.experiment.publisher import Progress, Sent, publish, send, wait_until
from lab.experiment.records import Record
from lab.experiment.simulated import Clients
from lab.experiment.verdict import records_of, verdict
from lab.json_types import JsonObject
from lab.meters import summary
from lab.results.client_load import client_load
from lab.results.runs import Run

READY_PATIENCE_S = 60.0
HEAD_START_S = 0.2
"""Between the last listener's connection and the timetable's zero."""
SETTLE_S = 5.0
"""Additional seconds to wait for the last message before it counts as lost."""
SAMPLE_S = 1.0
OVER_TIME = ("requests", "empty", "bytes_in", "bytes_out")


@dataclass
class Target:
    """Which lab is measured: one started with these settings, or one that runs at a URL."""

    url: str | None = None
    settings: JsonObject = field(default_factory=dict)
    certfile: str | None = None
    """The file of the certificate that the clients trust, when the lab is reached by https."""


@dataclass
class MeterSnapshots:
    """Meters of a run: before the first client, when all are connected, at zero, and when all has arrived."""

    before: JsonObject = field(default_factory=dict)
    ready: JsonObject = field(default_factory=dict)
    zero: JsonObject = field(default_factory=dict)
    after: JsonObject = field(default_factory=dict)

    def counted(self, direction: str) -> JsonObject:
        """The meter of this run: from `before` to `after`, without the pause between `ready` and `zero`."""
        pause = subtract(self.zero[direction], self.ready[direction])
        return subtract(difference(self.after[direction], self.before[direction]), pause)

    def until(self, now: JsonObject) -> JsonObject:
        """What has been counted for receiving up to now."""
        pause = subtract(self.zero["receive"], self.ready["receive"])
        return subtract(difference(now["receive"], self.before["receive"]), pause)

    @property
    def cpu_s(self) -> float:
        """Processor time of the server from the timetable's zero on."""
        spent: float = self.after["cpu_s"] - self.zero["cpu_s"]
        return spent


class Outcome(NamedTuple):
    """The data of a run: the meters, the sent messages, the received messages, and the clients' load."""

    snapshots: MeterSnapshots
    sent: Sent
    received: JsonObject
    """What the process of the simulated clients reports at its end."""
    start: str
    """The cursor at which the listeners began."""
    series: list[JsonObject]
    fleet: JsonObject


async def measure(
    mode: str,
    conditions: Conditions,
    target: Target,
    round_: int,
    stop: asyncio.Event,
    progress: Progress,
    wire: bool = False,
) -> Run:
    """Measure one technique once. Setting `stop` ends the run early; it is then marked partial.

    With `wire` the bytes of one more message are recorded afterwards.

    Raises `CannotStart` when there is no lab to measure, `RunFailed` when a process of the run breaks.
    """
    allow_files(conditions.clients, relayed=conditions.network.slow, own=target.url is None)
    progress(0.0, "predicting")
    theory = predict_run(mode, conditions, await exchange(mode, conditions, target.settings))
    predicted = theory.as_json()
    async with _lab(conditions, target) as (url, versions), _slowly(conditions, url) as slow_url:
        progress(0.0, "connecting")
        outcome = await _run(theory, conditions, (url, slow_url), target.certfile, stop, progress)
        recorded = None
        if wire and not stop.is_set():
            recorded = await one_message(mode, conditions, url, target.certfile)
    away: dict[str, str] = outcome.received["away"]
    if away and not stop.is_set():
        raise NotConnected(Counter(away.values()), conditions.clients)
    snapshots, sent = outcome.snapshots, outcome.sent
    records = list(records_of(outcome.received, mode, outcome.start))
    latencies = sorted(_latencies(records, sent))
    return Run(
        mode=mode,
        round=round_,
        sent=sent.stored,
        **verdict([*sent.records, *records])._asdict(),
        receive=snapshots.counted("receive"),
        send=snapshots.counted("send"),
        latency_s=summary(latencies),
        server_cpu_s=snapshots.cpu_s,
        server_rss_bytes=snapshots.after["rss_bytes"],
        server_rss_growth_bytes=_grown(snapshots),
        predicted=dict.fromkeys(predicted) if stop.is_set() else predicted,
        series=outcome.series,
        conditions=conditions.as_json(),
        lab=versions,
        partial=stop.is_set(),
        fleet=outcome.fleet,
        wire=recorded,
        samples=latencies,
    )


async def _run(
    theory: Prediction,
    conditions: Conditions,
    urls: tuple[str, str],
    certfile: str | None,
    stop: asyncio.Event,
    progress: Progress,
) -> Outcome:
    mode, snapshots = theory.mode, MeterSnapshots()
    near, slow = (link_of(conditions, url, "latest", certfile) for url in urls)
    async with Probe(urls[0], certfile) as probe, Link(**near) as link:
        cursor = await _warm_up(mode, link)
        snapshots.before = await probe.snapshot(mode)
        plan = {"mode": mode, "clients": conditions.clients, "link": slow | {"after": cursor}}
        async with _simulated(plan, stop) as clients:
            await clients.during(listening(probe, mode, snapshots, conditions, stop, clients))
            clients.begin()
            series: list[JsonObject] = []
            clients.watch(asyncio.create_task(_sample(probe, mode, snapshots, series)))
            sent = await clients.during(publish(mode, conditions, link, stop, progress))
            await clients.wait_for_all(sent.stored, _patience(conditions, stop))
            await clients.during(wait_until(sent.start + theory.window_s, stop))
            snapshots.after = await probe.snapshot(mode)
            received = await clients.all_received()
            return Outcome(snapshots, sent, received, cursor, series, client_load(clients.efforts, sent.late))


# Before ---------------------------------------------------------------------------------------


@asynccontextmanager
async def _simulated(plan: JsonObject, stop: asyncio.Event) -> AsyncIterator[Clients]:
    async with (
        child("lab.experiment.fleet", "The process of the simulated clients", plan) as process,
        Clients(process, plan["clients"], stop) as clients,
    ):
        yield clients


async def _warm_up(mode: str, link: Link) -> str:
    """Send a first message, and return its place. Raises `CannotStart`."""
    try:
        cursor: str = (await send(mode, link, "warm-up", str(uuid.uuid4())))["id"]
    except (Refused, TimeoutError, aiohttp.ClientError, OSError) as error:
        raise CannotStart(f"The lab accepts no message: {error or type(error).__name__}.") from error
    return cursor


@asynccontextmanager
async def _lab(conditions: Conditions, target: Target) -> AsyncIterator[tuple[str, dict[str, str]]]:
    if target.url is None:
        own = {
            "room": f"run-{secrets.token_hex(6)}",
            "hold": conditions.hold,
            "compress": conditions.compress,
        }
        limits = LIFTED | target.settings.get("limits", {})
        async with own_lab({"port": 0} | target.settings | own | {"limits": limits}) as lab:
            yield lab
    else:
        async with Probe(target.url, target.certfile) as probe:
            versions = (await probe.get("/healthz"))["versions"]
        yield target.url, versions


@asynccontextmanager
async def _slowly(conditions: Conditions, url: str) -> AsyncIterator[str]:
    """The URL that the listeners use: that of a relay when the conditions have a slow link."""
    network, to = conditions.network, urlsplit(url)
    if not network.slow:
        yield url
        return
    usual = 443 if to.scheme == "https" else 80
    plan = {"host": to.hostname, "port": to.port or usual, "network": network._asdict()}
    async with child("lab.experiment.relay", "The simulated link", plan) as relay:
        yield f"{to.scheme}://127.0.0.1:{(await relay.receive())['port']}{to.path}"


async def listening(
    probe: Probe,
    mode: str,
    snapshots: MeterSnapshots,
    conditions: Conditions,
    stop: asyncio.Event,
    clients: Clients | None = None,
) -> None:
    """Wait until the server has a connection of every listener, and a short time more.

    Raises `NotConnected` when some cannot connect.
    """
    until = time.monotonic() + READY_PATIENCE_S + conditions.interval
    snapshots.ready = snapshots.zero = await probe.snapshot(mode)
    earlier = snapshots.before
    while not stop.is_set() and not _all_there(mode, snapshots, earlier, conditions.clients, clients):
        if time.monotonic() > until:
            raise RunFailed(f"Not all {conditions.clients} listeners could connect; try fewer.")
        await asyncio.sleep(0.05)
        earlier, snapshots.ready = snapshots.ready, await probe.snapshot(mode)
    await asyncio.sleep(HEAD_START_S)
    snapshots.zero = await probe.snapshot(mode)


def _all_there(
    mode: str, snapshots: MeterSnapshots, earlier: JsonObject, number: int, clients: Clients | None
) -> bool:
    """Whether all are connected and the meters are at rest: a stream's response begins after its request.

    Short pollers are never at rest, because they go on asking.
    """
    came = subtract(snapshots.ready["receive"], snapshots.before["receive"])["connections"] >= number
    came = (clients is None or clients.all_there) and came
    return came and (TECHNIQUES[mode].verb == "ask" or snapshots.ready["receive"] == earlier["receive"])


# Meanwhile ------------------------------------------------------------------------------------


async def _sample(probe: Probe, mode: str, snapshots: MeterSnapshots, series: list[JsonObject]) -> None:
    """Read the meters once a second, until cancelled. Raises `RunFailed` when the lab does not answer."""
    start = time.monotonic()
    while True:
        try:
            receive = snapshots.until(await probe.snapshot(mode))
        except CannotStart as error:
            raise RunFailed(f"The lab was there when the run began, and is gone: {error}") from error
        point = {"t_s": round(time.monotonic() - start, 3), "delivered": receive["messages"]}
        series.append(point | {name: receive[name] for name in OVER_TIME})
        await asyncio.sleep(SAMPLE_S)


def _patience(conditions: Conditions, stop: asyncio.Event) -> float:
    return 0.5 if stop.is_set() else SETTLE_S + conditions.interval + 3 * conditions.rtt


# Afterwards -----------------------------------------------------------------------------------


def _grown(snapshots: MeterSnapshots) -> int | None:
    """By how many bytes the server's memory has grown since before the first client; None if not measured."""
    before, after = (found.get("rss_bytes") for found in (snapshots.before, snapshots.after))
    return None if before is None or after is None else after - before


def _latencies(records: list[Record], sent: Sent) -> list[float]:
    """Seconds from the planned send to each arrival."""
    stored = {record.at for record in sent.records if record.kind == "ack"}
    return [
        record.t - sent.planned[record.mid]
        for record in records
        if record.kind == "recv" and record.at in stored
    ]
