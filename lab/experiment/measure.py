"""A measured run: a lab, simulated clients, and a publisher that keeps a timetable.

What is counted: each listener's first request, until the server has seen them all, and then everything
from the timetable's zero until its time is over, every message has arrived and, by theory
(`Prediction.window_s`), every poller has asked again: a run ends as it began. Warm-up is not counted:
starting the processes, a first message before any listener connects, and the pause `HEAD_START_S`
(lab/experiment/readiness.py). Processor time is counted from the timetable's zero.
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

import aiohttp

from lab.child import RunFailed
from lab.clients.link import Link, Refused
from lab.errors import CannotStart
from lab.experiment.conditions import Conditions
from lab.experiment.connecting import NotConnected, allow_files
from lab.experiment.engine import Engine, engine
from lab.experiment.exchange import LIFTED, exchange, link_of
from lab.experiment.far import predicted_at
from lab.experiment.one_message import one_message
from lab.experiment.own_lab import OwnLab, own_lab, own_labs
from lab.experiment.prediction import Prediction, predict_run
from lab.experiment.probe import Probe
from lab.experiment.publisher import Progress, Sent, publish, send, wait_until
from lab.experiment.readiness import MeterSnapshots, listening
from lab.experiment.records import Record
from lab.experiment.server_side import each_lab, memory_growth, on_the_wire
from lab.experiment.simulated import Clients, GaveUp, here, simulated
from lab.experiment.verdict import records_of, verdict
from lab.experiment.way import held_back, more_patience, through, way_to
from lab.json_types import JsonObject
from lab.meters import summary
from lab.proxy.switches import GOOD
from lab.results.client_load import client_load, own_work
from lab.results.runs import Run

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
    engine: str | None = None
    """The scheduler of the Dask cluster on which the listeners are; None: they are on this machine."""


class Outcome(NamedTuple):
    """The data of a run: the meters, the sent messages, the received messages, and the clients' load."""

    snapshots: MeterSnapshots
    sent: Sent
    received: JsonObject
    """What the simulated clients report at their end."""
    start: str
    """The cursor at which the listeners began."""
    series: list[JsonObject]
    fleet: JsonObject
    seen: JsonObject
    """What the listeners saw of the way to the lab, and `held_back` and `refused` through a proxy."""


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
    relayed = conditions.network.slow or conditions.proxy is not None
    allow_files(conditions.clients, relayed=relayed, own=target.url is None)
    progress(0.0, "predicting")
    weights = await exchange(mode, conditions, target.settings)
    theory = predict_run(mode, conditions, weights)
    predicted = await predicted_at(target.url, theory.as_json(), target.engine)
    async with (
        engine(target.engine, conditions.clients) as cluster,
        _lab(conditions, target, cluster) as lab,
        way_to(conditions, lab) as way,
    ):
        progress(0.0, "connecting")
        outcome = await _run(theory, conditions, lab, way.url, target.certfile, stop, progress, cluster)
        recorded = None
        if wire and not stop.is_set() and not conditions.proxy:
            recorded = await one_message(mode, conditions, lab.url, target.certfile)
    away: dict[str, str] = outcome.received["away"]
    if away and not stop.is_set():
        raise NotConnected(Counter(away.values()), conditions.clients)
    snapshots, sent = outcome.snapshots, outcome.sent
    records = list(records_of(outcome.received, mode, outcome.start))
    latencies, receive = sorted(_latencies(records, sent)), snapshots.counted("receive")
    partial = stop.is_set() or bool(cluster and cluster.ended)
    if partial or conditions.proxy:
        predicted = dict.fromkeys(predicted)
    known = predicted["latency_clients_s"] is not None and not conditions.bandwidth
    outside = weights.work.outside + conditions.rtt / 2 if known else None
    return Run(
        mode=mode,
        round=round_,
        sent=sent.stored,
        **verdict([*sent.records, *records])._asdict(),
        receive=receive,
        send=snapshots.counted("send"),
        latency_s=of_positive(summary(latencies)),
        server_cpu_s=None if outcome.seen.get("refused") else snapshots.cpu_s,
        server_rss_bytes=snapshots.after["rss_bytes"],
        server_rss_growth_bytes=memory_growth(snapshots),
        predicted=predicted,
        series=outcome.series,
        conditions=conditions.as_json(),
        lab=lab.versions,
        partial=partial,
        **on_the_wire(conditions, lab.url, snapshots, partial),
        fleet=outcome.fleet | {"latency_mean_s": own_work(latencies, receive, outside)},
        wire=recorded,
        proxy=through(conditions, way.version, outcome.seen),
        labs=each_lab(snapshots),
        samples=latencies,
        **(cluster.figures() if cluster else {}),
    )


async def _run(
    theory: Prediction,
    conditions: Conditions,
    lab: OwnLab,
    url: str,
    certfile: str | None,
    stop: asyncio.Event,
    progress: Progress,
    cluster: Engine | None,
) -> Outcome:
    mode, snapshots = theory.mode, MeterSnapshots()
    near, far = (link_of(conditions, place, "latest", certfile) for place in (lab.url, url))
    async with Probe(lab.url, certfile, lab.others) as probe, Link(**near) as link:
        cursor = await _warm_up(mode, link)
        snapshots.before = await probe.snapshot(mode)
        plan = {"mode": mode, "clients": conditions.clients, "link": far | {"after": cursor}}
        plan["named"] = conditions.labs > 1  # a balancer may need it
        processes, start = (len(cluster.remotes), cluster.start) if cluster else (conditions.processes, here)
        async with simulated(plan, stop, processes, start) as clients:
            try:
                await clients.during(listening(probe, mode, snapshots, conditions, stop, clients))
                clients.begin()
                series: list[JsonObject] = []
                clients.watch(asyncio.create_task(_sample(probe, mode, snapshots, series)))
                sent = await clients.during(publish(mode, conditions, link, stop, progress))
                await clients.wait_for_all(sent.stored, _patience(conditions, stop, clients.seen))
                await clients.during(wait_until(sent.start + theory.window_s, stop))
                snapshots.after = await probe.snapshot(mode)
            except GaveUp as refused:
                if conditions.proxy is None:
                    raise
                return _refused(await probe.snapshot(mode), snapshots, cursor, refused.reason, clients.seen)
            received, seen = await _received(clients, conditions, sent, lab, stop)
            load = client_load(clients.efforts, sent.late)
            if cluster and not stop.is_set():
                await cluster.measure_same_machine(mode, far)
            return Outcome(snapshots, sent, received, cursor, series, load, seen)


async def _received(
    clients: Clients, conditions: Conditions, sent: Sent, lab: OwnLab, stop: asyncio.Event
) -> tuple[JsonObject, JsonObject]:
    """What the listeners received, and what they saw of the way to the lab."""
    seen = clients.seen
    if conditions.proxy is None:
        return await clients.all_received(), seen
    if not stop.is_set():
        expected = conditions.clients * sent.stored
        seen = seen | {"held_back": await held_back(clients, expected, lab.end)}
    # What a listener has not received, because the proxy had cut it, counts as lost.
    return await clients.all_received() | {"away": {}}, seen


def _refused(
    now: JsonObject, snapshots: MeterSnapshots, cursor: str, reason: str, seen: JsonObject
) -> Outcome:
    """The data of a run whose listeners were refused for good: what their requests cost, and no message."""
    snapshots.ready = snapshots.zero = snapshots.after = now
    nothing: JsonObject = {"all_received": [], "events": [], "away": {}}
    return Outcome(snapshots, Sent(), nothing, cursor, [], {}, seen | {"refused": reason})


# Before ---------------------------------------------------------------------------------------


async def _warm_up(mode: str, link: Link) -> str:
    """Send a first message, and return its place. Raises `CannotStart`."""
    try:
        cursor: str = (await send(mode, link, "warm-up", str(uuid.uuid4())))["id"]
    except (Refused, TimeoutError, aiohttp.ClientError, OSError) as error:
        raise CannotStart(f"The lab accepts no message: {error or type(error).__name__}.") from error
    return cursor


@asynccontextmanager
async def _lab(conditions: Conditions, target: Target, cluster: Engine | None) -> AsyncIterator[OwnLab]:
    if target.url is None:
        own = {
            "room": f"run-{secrets.token_hex(6)}",
            "hold": conditions.hold,
            "compress": conditions.compress,
        }
        limits = LIFTED | target.settings.get("limits", {})
        reached = {"host": cluster.host} if cluster else {}
        settings = {"port": 0} | reached | target.settings | own | {"limits": limits}
        several = conditions.labs > 1
        async with (
            own_labs(settings, conditions.labs, conditions.proxy or GOOD) if several else own_lab(settings)
        ) as lab:
            yield lab
    else:
        async with Probe(target.url, target.certfile) as probe:
            versions = (await probe.get("/healthz"))["versions"]
        yield OwnLab(target.url, versions, _not_ours)


async def _not_ours() -> None:
    """The end of a lab that was not started for the run: none."""


# Meanwhile ------------------------------------------------------------------------------------


async def _sample(probe: Probe, mode: str, snapshots: MeterSnapshots, series: list[JsonObject]) -> None:
    """Read the meters once a second, until cancelled. Raises `RunFailed` when the lab does not answer."""
    start = time.monotonic()
    while True:
        try:
            receive = snapshots.until(await probe.snapshot(mode, segments=False))
        except CannotStart as error:
            raise RunFailed(f"The lab was there when the run began, and is gone: {error}") from error
        point = {"t_s": round(time.monotonic() - start, 3), "delivered": receive["messages"]}
        series.append(point | {name: receive[name] for name in OVER_TIME})
        await asyncio.sleep(SAMPLE_S)


def _patience(conditions: Conditions, stop: asyncio.Event, seen: JsonObject) -> float:
    if stop.is_set():
        return 0.5
    return (
        SETTLE_S + conditions.interval + 3 * conditions.rtt + (more_patience(seen) if conditions.proxy else 0)
    )


# Afterwards -----------------------------------------------------------------------------------


def _latencies(records: list[Record], sent: Sent) -> list[float]:
    """Seconds from the planned send to each arrival."""
    stored = {record.at for record in sent.records if record.kind == "ack"}
    return [
        record.t - sent.planned[record.mid]
        for record in records
        if record.kind == "recv" and record.at in stored
    ]


def of_positive(figures: JsonObject) -> JsonObject:
    """Figures of latency, without those below 0, which say only that the clocks of two machines differ."""
    return {name: None if value is not None and value < 0 else value for name, value in figures.items()}
