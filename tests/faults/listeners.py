"""Simulated clients that record what happens to them: listeners, and one sender."""

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from itertools import cycle
from math import inf
from uuid import uuid4

import aiohttp

from lab.catalogue import MODES, client_side
from lab.clients.link import Refused
from lab.clients.reconnecting import keep_receiving
from lab.experiment.records import At, Record, digest, place, received
from tests.benchmarks.load import MARK
from tests.faults.counts import Count, CountedLink

INTERVAL_S = 0.5
ANSWER_S = 15.0
"""How long a sender waits for an answer before it sends the same again."""
AGAIN_S = 0.25
Book = list[Record]


class RecordingListener:
    """A listener that stays with it, by one technique at a time."""

    def __init__(self, name: str, mode: str, url: str, start: str, book: Book) -> None:
        self.name, self.mode, self.url, self.book = name, mode, url, book
        self.cursor = start
        self.counts: defaultdict[str, Count] = defaultdict(Count)
        """What it cost by each technique."""
        self.link: CountedLink | None = None
        self.write("open", *place(start))

    def write(self, kind: str, epoch: int = 0, n: int = 0) -> None:
        """Write down that this happened."""
        self.book.append(Record(time.monotonic(), self.name, self.mode, kind, epoch, n))

    def receive(self, events: list[dict]) -> None:
        """Write down what came."""
        now = time.monotonic()
        self.book.extend(received(now, self.name, self.mode, event) for event in events)
        self.link.count.receive(events)
        self.cursor = self.link.after

    @property
    def at(self) -> At:
        """How far it has come."""
        return place(self.cursor)

    async def come(self) -> None:
        """Connect, from the last cursor."""
        count = self.counts[self.mode]
        self.link = CountedLink(
            self.url, on_events=self.receive, after=self.cursor, interval=INTERVAL_S, count=count
        )
        self.task = asyncio.create_task(keep_receiving(self.mode, self.link))

    async def go(self) -> None:
        """Stop listening, in the middle of whatever it is."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        if self.link:
            await self.link.__aexit__()

    async def switch(self, mode: str) -> None:
        """Go on by another technique."""
        await self.go()
        self.mode = mode
        await self.come()

    def gave_up(self) -> str | None:
        """Why it does not listen any more, though it should."""
        if not self.task.done() or self.task.cancelled():
            return None
        return f"{self.name} ({self.mode}) gave up: {self.task.exception()!r}"


class Sender:
    """Sends at a steady rate, by each technique in turn, and repeats until the answer is definite."""

    def __init__(self, url: str, book: Book, size: int = 40) -> None:
        self.book, self.size = book, size
        self.links = {mode: CountedLink(url) for mode in MODES}
        self.words = cycle(MODES)
        self.sending: set[asyncio.Task] = set()
        self.timetable: asyncio.Task | None = None

    def start_sending(self, rate: float, at_once: float = inf) -> None:
        """Begin to send so many messages a second, and wait for none, until so many are on the way."""
        self.timetable = asyncio.create_task(self._send_at_rate(rate, at_once))

    async def _send_at_rate(self, rate: float, at_once: float) -> None:
        start, loop = asyncio.get_running_loop().time(), asyncio.get_running_loop()
        for number in range(2**31):
            await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
            while len(self.sending) >= at_once:
                await asyncio.wait(self.sending, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self.send(next(self.words)))
            self.sending.add(task)
            task.add_done_callback(self.sending.discard)

    async def send(self, mode: str) -> None:
        """Send one message, until it is stored or surely is not."""
        mid = str(uuid4())
        message = {"mid": mid, "username": "sender", "body": f"{mid}{MARK.decode()}".ljust(self.size, ".")}
        self.write("send", mode, message)
        certain = True
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    answer = await client_side(mode).send(self.links[mode], message)
                self.links[mode].count.messages += not answer["duplicate"]
                return self.write("ack", mode, message, place(answer["id"]))
            except Refused as refused:
                if certain and not refused.unknown:
                    return self.write("fail", mode, message)
            except (TimeoutError, aiohttp.ClientError, OSError):
                pass
            if certain:
                self.write("unknown", mode, message)
            certain = False
            await asyncio.sleep(AGAIN_S)

    def write(self, kind: str, mode: str, message: dict[str, str], at: At = (0, 0)) -> None:
        """Write down what became of a message."""
        content = message["mid"], digest(message["username"], message["body"])
        self.book.append(Record(time.monotonic(), "sender", mode, kind, *at, *content))

    async def burst(self, count: int, at_once: int = 40) -> None:
        """Send so many messages as fast as the lab accepts them."""
        left = iter(range(count))

        async def one(mode: str) -> None:
            for _ in left:
                await self.send(mode)

        await asyncio.gather(*(one(mode) for mode, _ in zip(cycle(MODES), range(at_once), strict=False)))

    async def stop_sending(self, patience: float) -> None:
        """Stop sending, and wait for the answers that are still out."""
        if self.timetable:
            self.timetable.cancel()
        if self.sending:
            await asyncio.wait(self.sending, timeout=patience)

    async def go(self) -> None:
        """Leave."""
        await self.stop_sending(0)
        for task in list(self.sending):
            task.cancel()
        for link in self.links.values():
            with suppress(aiohttp.ClientError, OSError):
                await link.__aexit__()
