"""Many clients for a long time: some stay, others come and go; then all leave, and nothing may remain.

Now and then Redis hangs, or some of those who stay are cut off without a word.
"""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, cycle
from math import inf
from statistics import linear_regression, median

from lab.catalogue import MODES
from lab.experiment.check import Checker
from lab.experiment.records import Record, place
from lab.server.ending import stop_on_signals
from tests.faults.bystanders import Bystanders
from tests.faults.listeners import RecordingListener, Sender
from tests.faults.network_faults import Away, filter_missing, filtered
from tests.faults.reader_faults import KEPT, memory
from tests.faults.redis_faults import freeze
from tests.faults.scene import Fault, Scale, Scene, staged

OBSERVED = (sys.executable, "-m", "tests.faults.observed")
EMPTY = Scale(each=0, rate=1.0)
SAMPLE_S = 1.0
TOLD_EACH = 60
"""After so many looks at the memory one line of progress is printed."""
RETURN_S = 90.0
LEVEL_S = 60.0
"""A client that is cut off notices it within 45 s."""
CUT_S = 30.0
"""Longer than the lab holds on to who vanished."""
CUT_OFF = 12
"""How many of those who stay are cut off now and then."""
HELD = ("tasks", "files", "readers")
LONG_S = 1200.0
"""From here on memory says more about the lab than about the allocator."""
GROWTH = 0.02
SLOPE = 1e6
"""What memory may grow by: this part between the first and the last quarter, so many bytes an hour."""


class Judge:
    """A book that is judged as it is written, and kept no longer."""

    def __init__(self, start: str) -> None:
        self.checker = Checker()
        self.at = place(start)
        """The newest cursor that any listener has received."""

    def append(self, record: Record) -> None:
        """Judge one record."""
        self.checker.take(record)
        self.at = max(self.at, record.at)

    def extend(self, records: Iterable[Record]) -> None:
        """Judge some."""
        for record in records:
            self.append(record)


@dataclass(frozen=True)
class Soaked:
    """What many clients for a long time left behind."""

    seconds: float
    visits: int
    received: int
    violations: list[str]
    complaints: list[str]
    before: dict[str, int]
    after: dict[str, int]
    rss: list[tuple[float, int]]
    hurt_by: Counter[str]
    bystanders: dict[str, int]

    @property
    def passed(self) -> bool:
        """Nothing wrong, nothing left, and no memory that grew."""
        left = more(self.after, self.before)
        return not (self.violations or self.complaints or left or self.grew)

    @property
    def grew(self) -> bool:
        """Whether memory grew for good; after a short time this is unknown."""
        first, last, slope = self.growth
        return self.seconds >= LONG_S and (last - first > GROWTH * first or slope > SLOPE)

    @property
    def growth(self) -> tuple[int, int, float]:
        """Memory in bytes: the median of the first and of the last quarter, and the slope per hour."""
        rest = self.rss[len(self.rss) // 4 :]  # warm-up is left out
        quarter = max(1, len(rest) // 4)
        first, last = (median(size for _, size in part) for part in (rest[:quarter], rest[-quarter:]))
        slope = linear_regression(*zip(*rest, strict=True)).slope if len(rest) > 2 else 0.0
        return int(first), int(last), 3600 * slope


class Soak:
    """One room full of clients."""

    def __init__(
        self, scene: Scene, steady: int = 0, joins: float = 0, rate: float = 0, visit_s=(0.0, 0.0)
    ) -> None:
        self.scene, self.steady, self.joins, self.rate = scene, steady, joins, rate
        self.visit_s = visit_s
        self.hurts = cycle([freeze] if filter_missing() else [freeze, self.cut_off])
        self.visits: set[asyncio.Task] = set()
        self.names = count()
        self.words = cycle(MODES)
        self.rss: list[tuple[float, int]] = []
        self.hurt_by: Counter[str] = Counter()
        self.stop = asyncio.Event()
        """Set to end the soak early."""

    async def run(self, seconds: float, hurt_s: float | None) -> Soaked:
        """Let clients connect, stay and leave for so long, with a fault now and then; then all leave."""
        before = await self.held()
        self.judge = Judge((await self.scene.get("/shortpoll?after=latest"))[1]["cursor"])
        sender, away = Sender(self.scene.url, self.judge), Away(self.scene)
        steady = [await self.enter() for _ in range(self.steady)]
        if hurt_s:
            steady += [await self.enter(await away.open()) for _ in range(CUT_OFF)]
        sender.start_sending(self.rate)
        hurting = asyncio.create_task(self.hurt(hurt_s))
        async with Bystanders(self.scene) as bystanders:
            stayed = await self.stay(seconds)
        hurting.cancel()
        await asyncio.gather(hurting, return_exceptions=True)
        await sender.stop_sending(15)
        await self.all_level(steady)
        await asyncio.gather(*self.visits)
        violations = [str(violation) for violation in self.judge.checker.violations()]
        wrong = [why for listener in steady if (why := listener.gave_up())]
        await asyncio.gather(*(listener.go() for listener in steady), sender.go())
        if hurt_s:
            away.close()
        received = self.judge.checker.deliveries.total()
        after = await self.back_to(before)
        visits = next(self.names)
        also = (self.rss, self.hurt_by, bystanders.done)
        return Soaked(stayed, visits, received, violations, wrong, before, after, *also)

    async def hurt(self, every_s: float | None) -> None:
        """Let Redis hang and cut some off, in turn, so many seconds after the last time."""
        for do in self.hurts if every_s else ():
            await asyncio.sleep(every_s)
            self.hurt_by[do.__name__] += 1
            await do(self.scene)

    async def cut_off(self, scene: Scene) -> None:
        """Listeners behind the relay are cut off silently, for longer than the lab keeps them."""
        filtered("drop")
        try:
            await asyncio.sleep(CUT_S)
        finally:
            filtered("")

    async def enter(self, url: str | None = None) -> RecordingListener:
        """One listener more, by the next technique, from the newest cursor received."""
        name, start = f"listener {next(self.names)}", "{}-{}".format(*self.judge.at)
        listener = RecordingListener(name, next(self.words), url or self.scene.url, start, self.judge)
        await listener.come()
        return listener

    async def stay(self, seconds: float) -> float:
        """Let some come each second, for a short visit each; look at the memory now and then.

        Returns the seconds that it lasted.
        """
        began, sampled = time.monotonic(), -inf
        while (lasted := time.monotonic() - began) < seconds:
            if lasted - sampled > SAMPLE_S:
                sampled = lasted
                await self.look(lasted)
            if self.stop.is_set():
                break
            task = asyncio.create_task(self.visit())
            self.visits.add(task)
            task.add_done_callback(self.visits.discard)
            await asyncio.sleep(1 / self.joins)
        return lasted

    async def look(self, t: float) -> None:
        """Write down how much memory the lab takes; on a busy machine a look may fail."""
        with suppress(TimeoutError):
            self.rss.append((t, await memory(self.scene)))
            if len(self.rss) % TOLD_EACH == 0:
                print(self.so_far(t), file=sys.stderr, flush=True)

    def so_far(self, t: float) -> str:
        """One line of progress."""
        judged = self.judge.checker
        wrong, received = len(judged.found), judged.deliveries.total()
        return (
            f"{t / 60:.0f} min: {received:,} deliveries, {wrong} violations, {self.rss[-1][1] / 1e6:.1f} MB"
        )

    async def visit(self) -> None:
        """Come, stay a little, and go."""
        listener = await self.enter()
        await asyncio.sleep(self.scene.random.uniform(*self.visit_s))
        await listener.go()
        listener.write("close")

    async def held(self) -> dict[str, int]:
        """What the lab holds at this moment, but for its connections to Redis, which come and go."""
        process = (await self.scene.get("/healthz"))[1]["process"]
        process["files"] -= len(self.scene.redis.client.client_list())
        return {name: process[name] for name in HELD}

    async def settle(self) -> None:
        """Wait until what the lab holds does not change any more."""
        last: dict[str, int] = {}
        while last != (last := await self.held()):  # noqa: ASYNC110 - the lab gives no signal
            await asyncio.sleep(1)

    async def all_level(self, listeners: list[RecordingListener]) -> None:
        """Wait until all listeners have the newest message, but not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEVEL_S):
                while len({listener.at for listener in listeners}) > 1:  # noqa: ASYNC110 - any may be last
                    await asyncio.sleep(0.1)

    async def back_to(self, before: dict[str, int]) -> dict[str, int]:
        """What the lab holds when it is no more than this, or after some patience."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RETURN_S):
                while more(await self.held(), before):  # noqa: ASYNC110 - the lab gives no signal
                    await asyncio.sleep(0.1)
        return await self.held()


def more(now: dict[str, int], before: dict[str, int]) -> bool:
    """Whether there is more of anything; less there may be, as the last ones were still going before."""
    return any(now[name] > before[name] for name in HELD)


async def nothing(scene: Scene) -> None:
    """No fault at all."""


async def soak(
    seconds: float,
    steady: int = 300,
    joins: float = 50,
    rate: float = 2,
    visit_s: tuple[float, float] = (2.0, 20.0),
    hurt_s: float | None = 300.0,
    seed: int = 1,
    stoppable: bool = False,
    observed: str = "",
) -> Soaked:
    """Open a lab and soak it; if it is stoppable, Ctrl-C lets all leave early.

    What the lab holds is written into the file `observed`, if there is to be one.
    """
    before = (*OBSERVED, observed) if observed else ()
    fault = Fault("soak", "many people for a long time", nothing, before=before)
    async with staged(fault, EMPTY, seed) as scene:
        await scene.sender.burst(200)  # what is made at first use is there from here on
        await scene.sender.go()
        await Soak(scene).settle()
        many = Soak(scene, steady, joins, rate, visit_s)
        if stoppable:
            many.stop = stop_on_signals()
        soaked = await many.run(seconds, hurt_s)
        if observed:
            scene.lab.signal(signal.SIGUSR2)
            await scene.get("/healthz")  # answered after the signal
        kept = scene.redis.client.xlen("pushlab:room")
    soaked.complaints.extend([*scene.complaints, *([] if kept == KEPT else [f"{kept} are kept"])])
    return soaked


def table(soaked: Soaked) -> str:
    """What came out, as rows of a table."""
    first, last, slope = (figure / 1e6 for figure in soaked.growth)
    trend = f"{slope:+.1f} MB/h" if soaked.seconds >= LONG_S else "too short to measure growth"
    rows = {
        "visits, deliveries": f"{soaked.visits:,}, {soaked.received:,} in {soaked.seconds:.0f} s",
        "meanwhile": ", ".join(f"{many} × {what}" for what, many in soaked.hurt_by.items()) or "–",
        "also": ", ".join(f"{many:,} {what}" for what, many in soaked.bystanders.items()),
        "violations": f"{len(soaked.violations)} {' '.join(soaked.violations[:3] + soaked.complaints[:3])}",
        "memory": f"{first:.1f} MB, later {last:.1f} MB ({trend})",
        **{name: f"{soaked.before[name]} before, {soaked.after[name]} after" for name in HELD},
        "result": "pass" if soaked.passed else "**fail**",
    }
    return "\n".join(
        ["| what | found |", "|---|---|", *(f"| {what} | {found} |" for what, found in rows.items())]
    )
