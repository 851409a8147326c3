"""Loads that a lab must bear: many listeners, many messages, a long silence, a burst; the list is at the end.

Some dozen listeners record everything for the checker. Where there are thousands, the rest are bare sockets
that only count: each must receive as many messages as were sent.
"""

import asyncio
import time
from array import array
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain

from lab.catalogue import MODES, TECHNIQUES
from lab.meters import summary
from tests.benchmarks.load import Listeners
from tests.benchmarks.machine import cpu_s, resident
from tests.faults.criteria import no_gap, same_history
from tests.faults.listeners import INTERVAL_S
from tests.faults.proxy import move_behind
from tests.faults.reader_faults import KEPT
from tests.faults.scene import FULL, SHORT, Fault, Scale, Scene, no_look_for_garbage
from tests.support.lab_process import OpenLab
from tests.support.nginx import nginx_missing
from tests.support.redis_server import free_port

SMALL = Scale(each=34, rate=10.0, before_s=0.5, after_s=0.5, pace=1 / 12, patience=10.0)
"""What runs in the tests, and where there is little time."""
LATE = 0.8
"""Of one processor: clients who use more say how slow they are, not the lab."""
Do = Callable[[Scene], Awaitable[None]]


class Watch:
    """What the lab's process and this one use from now on."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.began = scene, time.monotonic()
        self._spent, self._own = cpu_s(scene.lab.pid), time.process_time()

    def note(self, listeners: int) -> tuple[float, float]:
        """Say it; returns the lab's share of one processor, and its bytes for each listener."""
        took = time.monotonic() - self.began
        used = (cpu_s(self.scene.lab.pid) - self._spent) / took
        self.own = (time.process_time() - self._own) / took
        each = (resident(self.scene.lab.pid) - self.scene.before["process"]["rss_bytes"]) / listeners
        self.scene.notes.append(f"lab {100 * used:.0f} %, clients {100 * self.own:.0f} % of a processor")
        self.scene.notes.append(f"{each / 1000:.1f} kB for each")
        return used, each


def demand(scene: Scene, what: str, found: float, most: float) -> None:
    """Complain of a figure that is too large, unless there is little time: then there is no limit."""
    if not scene.short and found > most:
        scene.complaints.append(f"{what} is {found:.3g}, not {most:.3g}")


# Listeners that record everything -------------------------------------------------------------


def listen(seconds: float, p99_s: float, share: float = 1.0) -> Do:
    """All listeners listen for so long; news takes so long at most, and the lab so much of one processor."""

    async def do(scene: Scene) -> None:
        watch = Watch(scene)
        with no_look_for_garbage():
            await scene.pause(seconds)
        note_p99(scene, scene.took("recv", watch.began), p99_s)
        used, _ = watch.note(len(scene.listeners))
        demand(scene, "the lab's share of a processor", used, share)

    return do


def note_p99(scene: Scene, times: dict[str, Iterable[float]], most: float) -> None:
    """Note the 99th percentile of each technique; short polling may take its interval longer."""
    found = {mode: summary(times[mode])["p99"] for mode in MODES if times.get(mode)}
    said = ", ".join(f"{mode} {1000 * took:.0f}" for mode, took in found.items())
    scene.notes.append(f"p99 {said or 0} ms")
    for mode, took in found.items():
        waits = INTERVAL_S if TECHNIQUES[mode].verb == "ask" else 0.0
        demand(scene, f"p99 of {mode}", took, most + waits)


async def burst(scene: Scene) -> None:
    """100 say 50 messages each, all at once: each is stored within 2 s, and the newest 100 are kept."""
    await scene.sender.stop_sending(10)
    watch = Watch(scene)
    await scene.sender.burst(500 if scene.short else 5000, at_once=100)
    took = summary(chain(*scene.took("ack", watch.began).values()))
    scene.notes.append(f"acknowledged after {took['p50']:.2f} s, at most {took['max']:.2f} s")
    await scene.all_received()
    watch.note(len(scene.listeners))
    if watch.own < LATE:
        demand(scene, "the longest acknowledgement", took["max"], 2.0)
    else:
        scene.notes.append("the clients themselves were late")
    kept = len((await scene.get("/history"))[1]["messages"])
    if kept != KEPT:
        scene.complaints.append(f"{kept} messages are kept, not {KEPT}")
    scene.sender.start_sending(scene.scale.rate)


# Thousands who only count -----------------------------------------------------------------------


def many_listeners(kinds: dict[str, int], seconds: float, rate: float, p99_s: float, most_bytes: float) -> Do:
    """So many bare listeners by each technique receive so much for so long, each every message."""

    async def do(scene: Scene) -> None:
        await scene.sender.stop_sending(15)
        many = await asyncio.to_thread(come, scene, kinds)
        watch, listeners = Watch(scene), sum(len(some.sockets) for some in many)
        try:
            times = await asyncio.to_thread(
                receive_all, scene, many, max(2.0, seconds * scene.scale.pace), rate
            )
            note_p99(scene, times, p99_s)
        except (ConnectionError, AssertionError) as error:
            scene.complaints.append(str(error))
        _, each = watch.note(len(scene.listeners) + listeners)
        demand(scene, "memory for each in bytes", each, most_bytes)
        for some in many:
            some.close()
        scene.sender.start_sending(scene.scale.rate)

    return do


def come(scene: Scene, kinds: dict[str, int]) -> list[Listeners]:
    """All listeners come in; a few of them where there is little time."""
    place = {"port": int(scene.url.rpartition(":")[2])}
    few = 0.02 if scene.short else 1
    return [Listeners(mode, place, round(few * count)) for mode, count in kinds.items()]


def receive_all(scene: Scene, many: list[Listeners], seconds: float, rate: float) -> dict[str, list[float]]:
    """Let them listen while messages are sent in turn; each must receive each. Returns the latencies."""
    said = round(seconds * rate)
    for some in many:
        some.arrivals, some.received = (array("i"), array("i"), array("d")), 0
    start = time.monotonic()
    for number in range(said):
        turn_until(many, start + number / rate)
        many[number % len(many)].publisher.send()
    turn_until(many, start + seconds)
    for some in many:
        some.rest(said * len(some.sockets))
        if some.received != said * len(some.sockets):
            scene.complaints.append(f"{some.mode}: {some.received} received of {said * len(some.sockets)}")
    arrivals_by = {some.mode: zip(*some.arrivals, strict=True) for some in many}
    return {mode: Listeners.latencies(arrivals, start, rate or 1) for mode, arrivals in arrivals_by.items()}


def turn_until(many: list[Listeners], moment: float) -> None:
    """Take what comes until then."""
    while time.monotonic() < moment:
        for some in many:
            some.turn(0.002)


def behind_nginx(do: Do) -> Do:
    """The same behind nginx, in front of two labs that share one Redis."""

    async def done(scene: Scene) -> None:
        port = free_port()
        scene.labs.insert(0, await asyncio.to_thread(OpenLab, scene.redis.url, port))
        await move_behind(scene, [port, scene.port])
        await do(scene)

    return done


LOADS = [
    Fault("L1", "class", listen(60, 0.1, 0.6), [same_history, no_gap], each=34, rate=10, counted=True),
    Fault("L2", "hall", listen(120, 0.25), [same_history, no_gap], each=167, rate=5, counted=True),
    Fault(
        "L3",
        "thousands",
        many_listeners({"websocket": 3500, "sse": 1000, "longpoll": 500}, 60, 2, 1.0, 40e3),
        [same_history, no_gap],
        each=2,
    ),
    Fault(
        "L4",
        "two labs behind nginx",
        behind_nginx(many_listeners({"websocket": 1500, "sse": 1000, "longpoll": 500}, 60, 2, 0.6, 40e3)),
        [same_history, no_gap],
        each=2,
        needs=[nginx_missing],
    ),
    Fault(
        "L5",
        "10,000 idle",
        many_listeners({"websocket": 5000, "sse": 3000, "longpoll": 2000}, 300, 0, 1.0, 25e3),
        [same_history, no_gap],
        each=2,
        limits={"connections": 0},
    ),
    Fault("L6", "burst", burst, [same_history], each=84, rate=1, counted=True),
]


def scale(load: Fault, short: bool) -> Scale:
    """How large a load is played."""
    small = SMALL if load.id in ("L1", "L2") else SHORT
    return small if short else FULL
