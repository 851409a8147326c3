"""What readers do: stay away, change their technique, read slowly or not at all."""

import asyncio
import time
from contextlib import suppress
from itertools import cycle, permutations
from pathlib import Path

from lab.catalogue import TECHNIQUES, WORDS
from lab.experiment.records import At, Record, heard, place
from tests.faults.crowd import Guest
from tests.faults.scene import Scene
from tests.support.listeners import STREAMING, Listener, client
from tests.support.wire import Closed

KEPT = 100


async def be_absent(scene: Scene) -> None:
    """Guests are away for 99, 100, 101 and 10,000 messages: told that they missed 0, 0, 1 and 9,900."""
    await scene.speaker.hush(10)
    for away in (99, 100, 101, 250 if scene.short else 10_000):
        await scene.all_heard()
        seen = len(scene.book)
        await asyncio.gather(*(guest.go() for guest in scene.guests))
        await scene.speaker.burst(away)
        await asyncio.gather(*(guest.come() for guest in scene.guests))
        await scene.all_heard()
        missed = [record.n for record in scene.book[seen:] if record.kind == "gap"]
        if missed != [away - KEPT] * len(scene.guests) * (away > KEPT):
            scene.complaints.append(f"away for {away}: told of {sorted(set(missed))} missed")
    scene.healed = time.monotonic()
    scene.speaker.talk(scene.scale.rate)


async def switch(scene: Scene) -> None:
    """Every technique is left for every other in mid-stream, 30 ways, with one cursor."""
    start = "{}-{}".format(*scene.last)
    movers = []
    for old, new in permutations(WORDS, 2):
        guest = Guest(f"{old} to {new}", old, scene.url, start, scene.book)
        await guest.come()
        movers.append((guest, old, new))
        scene.guests.append(guest)
    for turn in range(round(6 * scene.scale.pace)):
        await asyncio.sleep(0.3)
        await asyncio.gather(*(guest.switch(old if turn % 2 else new) for guest, old, new in movers))


async def never_read(scene: Scene) -> None:
    """200 open a stream and read nothing of 2,000 messages of 4 KB: 20 MB at most, and hung up on in 20 s."""
    before = await held(scene)
    count = 12 if scene.short else 200
    words = zip(cycle(STREAMING), range(count), strict=False)
    stuck = [await client(word, scene.port, takes=4096).connect("latest") for word, _ in words]
    quiet, began = p99(scene, 0.0), time.monotonic()
    ports = {wire.socket.getsockname()[1] for one in stuck for wire in one.receiving}
    watching = asyncio.create_task(watch(scene, before["rss_bytes"], ports))
    await (scene.speaker.burst(200) if scene.short else asyncio.sleep(2000 / scene.fault.rate))
    freed, most = await watching
    for one in stuck:
        one.abort()
    scene.notes.append(f"+{most / 1e6:.1f} MB, freed after {freed:.0f} s")
    scene.notes.append(
        f"others' p99 {1000 * quiet:.0f} ms before, {1000 * p99(scene, began):.0f} ms meanwhile"
    )
    if most > 20e6 or freed > 20 * scene.scale.patience:
        scene.complaints.append(scene.notes[0])


async def watch(scene: Scene, rss: int, ports: set[int]) -> tuple[float, int]:
    """How long the lab held on to those who do not read, and how much memory it took more at most."""
    began, most = time.monotonic(), 0
    while still_open(ports) and time.monotonic() - began < 25 * scene.scale.patience:
        await asyncio.sleep(0.2)
        most = max(most, (await held(scene))["rss_bytes"] - rss)
    return time.monotonic() - began, most


def still_open(ports: set[int]) -> int:
    """How many connections to these ports the lab has not closed; what it closed may wait in the kernel."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[2].split(":")[1], 16) in ports and row[3] == "01" for row in rows)


async def held(scene: Scene) -> dict:
    """What the lab's process holds at this moment."""
    return (await scene.get("/healthz"))[1]["process"]


def p99(scene: Scene, since: float) -> float:
    """The 99th percentile of the seconds from send to arrival, for those who need not ask."""
    sent = {record.mid: record.t for record in scene.of("send") if record.t >= since}
    times = sorted(
        record.t - sent[record.mid]
        for record in scene.of("recv")
        if record.mid in sent and TECHNIQUES[record.technique].verb != "ask"
    )
    return times[int(0.99 * len(times))] if times else 0.0


class Slow:
    """A guest whose line takes little and who reads a little each second, until it may hurry."""

    def __init__(self, word: str, scene: Scene) -> None:
        self.word, self.scene, self.name = word, scene, f"slow {word}"
        self.cursor = "{}-{}".format(*scene.last)
        self.wait_s = 1.0
        scene.book.append(Record(0.0, self.name, word, "open", *scene.last))
        self.task = asyncio.create_task(self.listen())

    @property
    def at(self) -> At:
        """How far it has come."""
        return place(self.cursor)

    async def listen(self) -> None:
        """Come, read slowly, and come again when hung up on."""
        while True:
            with suppress(Closed, OSError):
                listener = client(self.word, self.scene.port, takes=4096)
                await listener.connect(self.cursor)
                await self.read(listener)

    async def read(self, listener: Listener) -> None:
        """Take what comes, piece by piece."""
        taken = 0
        while True:
            await listener.step()
            for event in listener.events[taken:]:
                self.scene.book.append(heard(time.monotonic(), self.name, self.word, event))
                self.cursor = event.get("id", self.cursor)
            taken = len(listener.events)
            await asyncio.sleep(self.wait_s)

    async def go(self) -> None:
        """Leave."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def gave_up(self) -> str | None:
        """Why it does not read any more."""
        return f"{self.name} ended" if self.task.done() and not self.task.cancelled() else None


async def read_slowly(scene: Scene) -> None:
    """One reader of each stream takes a piece a second: told exactly what it missed, and whole in the end."""
    slow = [Slow(word, scene) for word in STREAMING]
    scene.guests += slow
    await asyncio.sleep(5 if scene.short else 30)
    for one in slow:
        one.wait_s = 0.0
    gaps = [record.n for record in scene.of("gap") if record.client.startswith("slow")]
    scene.notes.append(f"slow readers were told of {sum(gaps)} missed in {len(gaps)} gaps")
