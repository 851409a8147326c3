"""The simulated clients of a run: the parent's side of their process."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from math import inf
from types import TracebackType
from typing import Any, TypeVar

from lab.child import Child, RunFailed, child
from lab.experiment.connecting import NotConnected
from lab.json_types import JsonObject

T = TypeVar("T")


class GaveUp(RunFailed):
    """A listener was refused for good, with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"A listener gave up: {reason}.")
        self.reason = reason


class Clients:
    """Reads the reports of the simulated clients. Use it as `async with`; `during` raises when they fail."""

    def __init__(self, process: Child, number: int, stop: asyncio.Event) -> None:
        self._process = process
        self._number = number
        self._stop = stop
        self._zero = inf
        self._all_received = asyncio.Event()
        self.there = 0
        """How many are connected."""
        self.out: dict[str, int] = {}
        """How many could not connect, by reason."""
        self.messages = 0
        """Messages received by all of them."""
        self.seen: JsonObject = {}
        """What they saw of the way to the lab, until every message has arrived (`lab.clients.seen`)."""
        self.efforts: list[dict[str, float]] = []
        """Their processor time, from the timetable's zero until every message has arrived."""

    async def __aenter__(self) -> "Clients":
        self._reading = asyncio.create_task(self._read())
        self._watched: set[asyncio.Task[Any]] = {self._reading}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._watched:
            task.cancel()
        await asyncio.gather(*self._watched, return_exceptions=True)

    def watch(self, task: "asyncio.Task[Any]") -> None:
        """End the run when this task fails, too."""
        self._watched.add(task)

    def begin(self) -> None:
        """Start counting processor time: the timetable begins now."""
        self._zero = time.monotonic()

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Run this; raises as soon as the clients or a watched task fails."""
        doing = asyncio.ensure_future(work)
        try:
            await asyncio.wait({doing, *self._watched}, return_when=asyncio.FIRST_COMPLETED)
            for failed in [task for task in self._watched if task.done()]:
                failed.result()
            return await doing
        finally:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)

    async def wait_for_all(self, sent: int, patience_s: float) -> None:
        """Wait until each has received so many messages, at most `patience_s`."""
        self._process.send({"expected": sent, "patience_s": patience_s})
        await self.during(self._all_received.wait())

    async def all_received(self) -> JsonObject:
        """What each has received and when; their process then ends."""
        self._process.send({})
        outcome: JsonObject = await self._reading
        return outcome

    async def _read(self) -> JsonObject:
        while "all_received" not in (line := await self._process.receive()):
            self._note(line)
        return line

    def _note(self, line: JsonObject) -> None:
        self.there, self.out = line.get("there", self.there), line.get("out", self.out)
        self.messages = line.get("heard", self.messages)
        if not self._all_received.is_set():
            self.seen = line.get("seen", self.seen)
        if line["t_s"] > self._zero and not self._all_received.is_set():
            self.efforts.append({"t_s": line["t_s"], "cpu_s": line["cpu_s"]})
        if "heard_out" in line:
            self._all_received.set()
        if line.get("failure") and not self._stop.is_set():
            raise GaveUp(line["failure"])

    @property
    def all_there(self) -> bool:
        """Whether all are connected. Raises `NotConnected` when all others cannot connect."""
        if self.out and self.there + sum(self.out.values()) >= self._number:
            raise NotConnected(self.out, self._number)
        return self.there >= self._number


@asynccontextmanager
async def simulated(plan: JsonObject, stop: asyncio.Event) -> AsyncIterator[Clients]:
    """The simulated clients of this plan, in a process of their own, during the block."""
    async with (
        child("lab.experiment.fleet", "The process of the simulated clients", plan) as process,
        Clients(process, plan["clients"], stop) as clients,
    ):
        yield clients
