"""The stage of every fault: a Redis, a lab, listeners of every technique, a sender, and all their records."""

import asyncio
import gc
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from math import inf
from random import Random
from subprocess import SubprocessError
from typing import Any

import aiohttp

from lab.catalogue import MODES
from lab.experiment.check import Checker
from lab.experiment.records import At, Record, place
from tests.faults.counts import Count, contradictions
from tests.faults.listeners import Book, RecordingListener, Sender
from tests.support.lab_process import OpenLab
from tests.support.redis_server import RedisServer, free_port
from tests.support.wire import HOST

SETTLE_S = 30.0


@dataclass(frozen=True)
class Scale:
    """How large and how long: listeners of each technique, messages a second, seconds before and after."""

    each: int = 10
    rate: float = 20.0
    before_s: float = 5.0
    after_s: float = 3.0
    pace: float = 1.0
    """What a fault's own pauses are multiplied by."""
    patience: float = 1.0
    """What every limit of time is multiplied by: what is a figure here is none on a busy machine."""


FULL = Scale()
SHORT = Scale(each=2, rate=10.0, before_s=0.5, after_s=0.5, pace=1 / 3, patience=10.0)


@dataclass(frozen=True)
class Fault:
    """What is done to the lab, what must hold beyond the checker's invariants, and what it takes."""

    id: str
    title: str
    do: Callable[["Scene"], Awaitable[None]]
    must: Sequence[Callable[["Scene"], str | None]] = ()
    """Each says what is wrong, or nothing."""
    log: bool = False
    """Redis keeps a log on disk."""
    redis: dict[str, Any] = field(default_factory=dict)
    """More settings for `RedisServer`."""
    each: int | None = None
    rate: float | None = None
    size: int = 40
    """Characters of a message."""
    limits: dict[str, float] = field(default_factory=dict)
    needs: Sequence[Callable[[], str | None]] = ()
    """Each says what is missing on this machine, or nothing."""
    environment: dict[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()
    """Words before the lab's command."""
    counted: bool = False
    """No process is killed and nothing is cut: what the lab has counted is what its clients did."""
    last: bool = False
    """No other fault can follow it on the same stage."""

    @property
    def lacking(self) -> str:
        """What this machine lacks for it, in words; nothing when it can be played."""
        return "; ".join(filter(None, (need() for need in self.needs)))


class Scene:
    """What a fault acts upon."""

    def __init__(self, fault: Fault, scale: Scale, seed: int) -> None:
        self.fault, self.scale, self.random = fault, scale, Random(seed)
        self.book: Book = []
        self.redis = RedisServer(fault.log, **fault.redis)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.sender = Sender(self.url, self.book, fault.size)
        self.labs: list[OpenLab] = []
        self.listeners: list[RecordingListener] = []
        self.complaints: list[str] = []
        self.notes: list[str] = []
        self.closing: list[Callable[[], None]] = []
        """What the fault leaves to be done when all is over."""
        self.struck = self.healed = 0.0
        self.start: At = (0, 0)
        """Where the first listeners begin."""

    # The lab ----------------------------------------------------------------------------------

    @property
    def lab(self) -> OpenLab:
        """The lab that runs, or ran last."""
        return self.labs[-1]

    async def start_lab(self) -> None:
        """Open the lab, at the port where it was before."""
        fault = self.fault
        self.labs.append(
            await asyncio.to_thread(
                OpenLab, self.redis.url, self.port, fault.before, fault.limits, **fault.environment
            )
        )

    async def get(self, path: str) -> tuple[int, dict]:
        """Ask the lab; status and JSON."""
        async with self.session.get(self.url + path) as answer:
            return answer.status, json.loads(await answer.text())

    async def becomes(self, path: str, status: int, within_s: float) -> None:
        """Wait until this path answers with this status; complain when it takes longer."""
        began = time.monotonic()
        while time.monotonic() - began < within_s * self.scale.patience:
            with suppress(aiohttp.ClientError, OSError):
                if (await self.get(path))[0] == status:
                    return
            await asyncio.sleep(0.05)
        self.complaints.append(f"{path} did not become {status} within {within_s:g} s")

    async def suffer(self, fault: Fault) -> None:
        """Let it happen; from its end on all must heal."""
        self.healed = 0.0
        try:
            await fault.do(self)
        except (SubprocessError, AssertionError, OSError) as error:
            self.complaints.append(f"the fault itself failed: {error!r}")
        self.healed = self.healed or time.monotonic()

    @property
    def short(self) -> bool:
        """Whether there is little time."""
        return self.scale.pace < 1

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.scale.rate if self.short else self.fault.rate or self.scale.rate

    # The clients ------------------------------------------------------------------------------

    async def come(self) -> None:
        """All listeners connect, at the end of the history; then the sender begins."""
        fault, scale = self.fault, self.scale
        each = scale.each if self.short else fault.each or scale.each
        start = (await self.get("/shortpoll?after=latest"))[1]["cursor"]
        self.start = place(start)
        self.before = await self.look()
        for number, mode in enumerate(islice(cycle(MODES), each * len(MODES))):
            await self.welcome(RecordingListener(f"listener {number}", mode, self.url, start, self.book))
        self.sender.start_sending(self.rate)

    async def look(self) -> dict:
        """What the lab has counted, and what its process has used."""
        return (await self.get("/meters"))[1] | (await self.get("/healthz"))[1]

    async def check_counts(self) -> None:
        """Let those who only ask rest, and complain when the lab has counted otherwise than its clients."""
        for listener in self.listeners:
            listener.link.interval = SETTLE_S
        self.complaints += await contradictions(self.look, self.before, self.counts)

    def counts(self) -> dict[tuple[str, str], Count]:
        """What all clients together have counted so far, by technique and direction."""
        counts = {(mode, "send"): link.count for mode, link in self.sender.links.items()}
        for mode in MODES:
            counts[mode, "receive"] = sum((listener.counts[mode] for listener in self.listeners), Count())
        return counts

    async def pause(self, seconds: float) -> None:
        """Let time pass, at this scale's pace."""
        await asyncio.sleep(seconds * self.scale.pace)

    async def spoken_again(self) -> None:
        """Wait until something that was sent after the fault is stored, but not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while not self.took("ack", self.healed):  # noqa: ASYNC110 - see below
                    await asyncio.sleep(0.05)

    async def settle(self) -> None:
        """Wait until every answer is in and every listener has received everything, but not for ever."""
        await self.sender.stop_sending(SETTLE_S)
        with suppress(TimeoutError):
            await self.all_received()

    async def all_received(self) -> None:
        """Wait until every listener has received what is acknowledged by now."""
        last = self.last
        async with asyncio.timeout(SETTLE_S):
            while any(listener.at < last for listener in self.listeners):  # noqa: ASYNC110 - of many, any may be last
                await asyncio.sleep(0.02)

    async def welcome(self, listener: RecordingListener) -> None:
        """One more listener connects, and is one of the scene's from now on."""
        self.listeners.append(listener)
        await listener.come()

    async def dismiss(self, listeners: list[RecordingListener]) -> None:
        """These leave for good when all listeners have received everything."""
        await self.all_received()
        await asyncio.gather(*(listener.go() for listener in listeners))
        for listener in listeners:
            listener.write("close")
            self.listeners.remove(listener)

    async def leave(self) -> None:
        """All listeners disconnect."""
        self.complaints += filter(None, (listener.gave_up() for listener in self.listeners))
        await asyncio.gather(*(listener.go() for listener in self.listeners), self.sender.go())
        for close in self.closing:
            close()

    def clear(self) -> None:
        """End the processes."""
        for lab in self.labs:
            if not lab.over:
                lab.stop()
            if wrong := lab.complaint():
                self.complaints.append(f"the lab's log: {wrong.strip().splitlines()[-1]}")
            lab.kill()
            lab.forget()
        self.redis.thaw()
        self.redis.stop()

    # What the records show --------------------------------------------------------------------

    def of(self, kind: str) -> list[Record]:
        """All records of a kind."""
        return [record for record in self.book if record.kind == kind]

    @property
    def last(self) -> At:
        """The last place that was acknowledged; before that, where the first listeners begin."""
        return max((record.at for record in self.book if record.kind == "ack"), default=self.start)

    @property
    def latest(self) -> str:
        """The same place as a cursor."""
        return "{}-{}".format(*self.last)

    def heal_s(self) -> float | None:
        """From the end of the fault until each listener has a message that was acknowledged after it."""
        after = [record.at for record in self.of("ack") if record.t >= self.healed]
        if not after:
            return None
        first: dict[str, float] = {}
        for record in self.book:
            if record.kind in ("recv", "reset") and record.at >= min(after):
                first.setdefault(record.client, record.t)
        if not {listener.name for listener in self.listeners} <= first.keys():
            return None
        return max(0.0, max(first.values()) - self.healed)

    def took(self, kind: str, since: float, until: float = inf) -> dict[str, list[float]]:
        """Seconds from each send in a window to its records of this kind, by technique."""
        sent = {record.mid: record.t for record in self.of("send") if since <= record.t < until}
        times = defaultdict(list)
        for record in self.of(kind):
            if record.mid in sent:
                times[record.technique].append(record.t - sent[record.mid])
        return times

    def per_listener(self, kind: str) -> Counter[str]:
        """How many records of a kind each listener has."""
        return Counter({listener.name: 0 for listener in self.listeners}) + Counter(
            r.client for r in self.of(kind)
        )


@dataclass(frozen=True)
class Outcome:
    """What a fault did: nothing wrong, or what; and what listeners received."""

    fault: Fault
    violations: list[str]
    complaints: list[str]
    heal_s: float | None
    counts: Counter[str]
    notes: list[str]
    took_s: float

    @property
    def passed(self) -> bool:
        """Whether everything was as it must be."""
        return not (self.violations or self.complaints)


async def play(fault: Fault, scale: Scale = FULL, seed: int = 1) -> Outcome:
    """Set the stage, let the fault happen and heal, wait until all is quiet, and judge the book."""
    began = time.monotonic()
    async with staged(fault, scale, seed) as scene:
        await asyncio.sleep(scale.before_s)
        scene.struck = time.monotonic()
        await scene.suffer(fault)
        await asyncio.sleep(scale.after_s)
        await scene.spoken_again()
        await scene.settle()
        if fault.counted:
            await scene.check_counts()
    scene.complaints += filter(None, (must(scene) for must in fault.must))
    found = [str(violation) for violation in Checker(scene.book).violations()]
    counts = Counter(record.kind for record in scene.book)
    took = time.monotonic() - began
    return Outcome(fault, found, scene.complaints, scene.heal_s(), counts, scene.notes, took)


@contextmanager
def no_look_for_garbage() -> Iterator[None]:
    """For the length of the block; one look through half a million records takes these clients 0.4 s."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@asynccontextmanager
async def staged(fault: Fault, scale: Scale, seed: int) -> AsyncIterator[Scene]:
    """A scene with all its listeners, for the length of the block."""
    scene = Scene(fault, scale, seed)
    one = aiohttp.TCPConnector(limit=1)  # who counts connections must know his own
    async with aiohttp.ClientSession(connector=one, timeout=aiohttp.ClientTimeout(5)) as scene.session:
        try:
            await scene.start_lab()
            await scene.come()
            yield scene
        finally:
            await scene.leave()
            await asyncio.to_thread(scene.clear)
