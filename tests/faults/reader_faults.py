"""What readers do: stay away, change their technique, read slowly or not at all."""

import asyncio
import time
from contextlib import suppress
from itertools import chain, cycle, permutations

from lab.catalogue import MODES, TECHNIQUES
from lab.experiment.records import received
from lab.meters import summary
from tests.faults.listeners import RecordingListener
from tests.faults.scene import Scene, no_look_for_garbage
from tests.support.base_listener import Listener
from tests.support.kernel import ESTABLISHED, connections
from tests.support.listeners import STREAMING, client
from tests.support.wire import Closed

KEPT = 100
AT_ONCE = 40
"""Messages on the way at most: a lab that cannot keep up is not to be filled with senders who wait."""


async def be_absent(scene: Scene) -> None:
    """Clients are away for 99, 100, 101 and 10,000 messages: their gaps are 0, 0, 1 and 9,900."""
    await scene.sender.stop_sending(10)
    for away in (99, 100, 101, 250 if scene.short else 10_000):
        await scene.all_received()
        seen = len(scene.book)
        await asyncio.gather(*(listener.go() for listener in scene.listeners))
        await scene.sender.burst(away)
        await asyncio.gather(*(listener.come() for listener in scene.listeners))
        await scene.all_received()
        missed = [record.n for record in scene.book[seen:] if record.kind == "gap"]
        if missed != [away - KEPT] * len(scene.listeners) * (away > KEPT):
            scene.complaints.append(f"away for {away}: gaps of {sorted(set(missed))}")
    scene.healed = time.monotonic()
    scene.sender.start_sending(scene.rate)


async def switch(scene: Scene) -> None:
    """Every technique is left for every other in mid-stream, 30 ways, with one cursor."""
    start, movers = scene.latest, []
    for old, new in permutations(MODES, 2):
        listener = RecordingListener(f"{old} to {new}", old, scene.url, start, scene.book)
        await scene.welcome(listener)
        movers.append((listener, old, new))
    for turn in range(round(6 * scene.scale.pace)):
        await asyncio.sleep(0.3)
        await asyncio.gather(*(listener.switch(old if turn % 2 else new) for listener, old, new in movers))


async def never_read(scene: Scene) -> None:
    """200 who never read 2,000 messages of 4 KB, three times: 20 MB at most, and closed within 20 s."""
    count, times, quiet_s = (12, 1, 3.0) if scene.short else (200, 3, 36.0)
    await scene.sender.stop_sending(10)
    scene.sender.start_sending(scene.fault.rate or scene.rate, at_once=AT_ONCE)
    with no_look_for_garbage():
        began = time.monotonic()
        before, _ = await watch(scene, set(), quiet_s)
        struck = time.monotonic()
        found = [await not_reading(scene, count) for _ in range(times)]
        ended = time.monotonic()
    more, freed = max(most for most, _ in found) - before, max(took for _, took in found)
    quiet, loud = p99(scene, began, struck), p99(scene, struck, ended)
    scene.notes.append(f"+{more / 1e6:.1f} MB, freed after {freed:.0f} s")
    scene.notes.append(f"others' p99 {1000 * quiet:.0f} ms before, {1000 * loud:.0f} ms meanwhile")
    if more > 20e6 or freed > 20 * scene.scale.patience:
        scene.complaints.append(scene.notes[0])


async def not_reading(scene: Scene, count: int) -> tuple[int, float]:
    """So many open a stream, half of them from the oldest message on, and read nothing until closed."""
    kinds = zip(cycle(STREAMING), cycle(("latest", None)), range(count), strict=False)
    stuck = [await client(mode, scene.port, takes=4096).connect(after) for mode, after, _ in kinds]
    ports = {wire.socket.getsockname()[1] for one in stuck for wire in one.receiving}
    found = await watch(scene, ports)
    for one in stuck:
        one.abort()
    return found


async def watch(scene: Scene, ports: set[int], least_s: float = 0.0) -> tuple[int, float]:
    """The most memory of the lab until it has closed all connections to these ports, and after how long."""
    began, most, took = time.monotonic(), 0, 0.0
    while took < least_s or (still_open(scene.port, ports) and took < 25 * scene.scale.patience):
        await asyncio.sleep(0.2)
        most, took = max(most, await memory(scene)), time.monotonic() - began
    return most, took


def still_open(port: int, ports: set[int]) -> int:
    """How many connections to these ports the lab has not closed; what it closed may wait in the kernel."""
    ours = [row for row in connections() if row.here[1] == port and row.there[1] in ports]
    return sum(row.state == ESTABLISHED for row in ours)


async def memory(scene: Scene) -> int:
    """Bytes that the lab's process has in use at this moment."""
    return (await scene.get("/healthz"))[1]["process"]["rss_bytes"]


def p99(scene: Scene, since: float, until: float) -> float:
    """The 99th percentile of the seconds from send to arrival, for those who need not ask."""
    took = scene.took("recv", since, until)
    pushed = (times for mode, times in took.items() if TECHNIQUES[mode].verb != "ask")
    return summary(chain.from_iterable(pushed))["p99"] or 0.0


class Slow(RecordingListener):
    """A listener whose line takes little and who reads a little each second, until it may hurry."""

    def __init__(self, mode: str, scene: Scene) -> None:
        super().__init__(f"slow {mode}", mode, scene.url, scene.latest, scene.book)
        self.port, self.wait_s = scene.port, 1.0

    async def come(self) -> None:
        """Begin to read where it left off."""
        self.task = asyncio.create_task(self.listen())

    async def listen(self) -> None:
        """Connect, read slowly, and reconnect when closed."""
        while True:
            with suppress(Closed, OSError):
                listener = client(self.mode, self.port, takes=4096)
                await listener.connect(self.cursor)
                await self.read(listener)

    async def read(self, listener: Listener) -> None:
        """Take what comes, piece by piece."""
        taken = 0
        while True:
            await listener.step()
            for event in listener.events[taken:]:
                self.book.append(received(time.monotonic(), self.name, self.mode, event))
                self.cursor = event.get("id", self.cursor)
            taken = len(listener.events)
            await asyncio.sleep(self.wait_s)


async def read_slowly(scene: Scene) -> None:
    """One reader of each stream takes a piece a second: its gaps are exact, and its record is whole."""
    slow = [Slow(mode, scene) for mode in STREAMING]
    for one in slow:
        await scene.welcome(one)
    await asyncio.sleep(5 if scene.short else 30)
    for one in slow:
        one.wait_s = 0.0
    gaps = [record.n for record in scene.of("gap") if record.client.startswith("slow")]
    scene.notes.append(f"slow readers missed {sum(gaps)} in {len(gaps)} gaps")
    if not (gaps or scene.short):
        scene.complaints.append("no reader fell behind")
