"""The simulated clients of a run: the parent's side of their processes.

Each process has a part of the listeners. `simulated` starts them all, and `Clients` adds their reports, so
that a run sees one set of clients. The processes are children on this machine; `start` may start them on
others.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from itertools import pairwise
from math import inf
from types import TracebackType
from typing import Any, Protocol, TypeVar

from lab.child import RunFailed, child
from lab.clients.seen import together
from lab.experiment.connecting import NotConnected
from lab.experiment.fleet import Events
from lab.json_types import JsonObject
from lab.results.client_load import Efforts

T = TypeVar("T")
Arrivals = list[tuple[int, float]]
"""What one listener received: the number of each event, and when."""


class ClientProcess(Protocol):
    """A process of simulated clients, which exchanges lines of JSON (`lab.child.Child` is one)."""

    def send(self, orders: JsonObject) -> None:
        """Send one line."""

    async def receive(self) -> JsonObject:
        """The next line; its times are of this machine's monotonic clock. Raises `RunFailed` at the end."""


Start = Callable[[JsonObject], AbstractAsyncContextManager[ClientProcess]]
"""What starts one process with its plan, for the time of a block."""


class GaveUp(RunFailed):
    """A listener was refused for good, with this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"A listener gave up: {reason}.")
        self.reason = reason


class Part:
    """One process with its part of the clients: what it has reported so far."""

    def __init__(self, process: ClientProcess, clients: int, stop: asyncio.Event) -> None:
        self.process = process
        self.there = 0
        self.out: dict[str, int] = {}
        self.messages = 0
        self.seen: JsonObject = {}
        self.efforts = Efforts(clients, [], [])
        self.zero = inf
        """The moment from which its processor time counts."""
        self.has_all = asyncio.Event()
        """Set when each of its listeners has received every message, or has waited long enough."""
        self._stop = stop

    async def read(self) -> JsonObject:
        """Note its reports until the last one, which is returned. Raises `GaveUp` and `RunFailed`."""
        while "all_received" not in (line := await self.process.receive()):
            self._note(line)
        return line

    def _note(self, line: JsonObject) -> None:
        self.there, self.out = line.get("there", self.there), line.get("out", self.out)
        self.messages = line.get("heard", self.messages)
        if not self.has_all.is_set():
            self.seen = line.get("seen", self.seen)
        if line["t_s"] > self.zero and not self.has_all.is_set():
            self.efforts.moments.append({"t_s": line["t_s"], "cpu_s": line["cpu_s"]})
            due = line["t_s"] - self.zero
            self.efforts.late.extend(late for late in line.get("late_s", ()) if late < due)
        if "heard_out" in line:
            self.has_all.set()
        if line.get("failure") and not self._stop.is_set():
            raise GaveUp(line["failure"])


class Clients:
    """All simulated clients, in one process or several. Use it as `async with`; `during` raises when they
    fail."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    async def __aenter__(self) -> "Clients":
        self._reading = [asyncio.create_task(part.read()) for part in self._parts]
        self._watched: set[asyncio.Task[Any]] = {*self._reading}
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
        now = time.monotonic()
        for part in self._parts:
            part.zero = now

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Run this; raises as soon as the clients or a watched task fails."""
        doing = asyncio.ensure_future(work)
        try:
            watched = set(self._watched)
            while not doing.done():
                done, _ = await asyncio.wait({doing, *watched}, return_when=asyncio.FIRST_COMPLETED)
                for ended in done & watched:
                    ended.result()
                watched -= done  # a process on another machine may end before the others
            return await doing
        finally:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)

    async def wait_for_all(self, sent: int, patience_s: float) -> None:
        """Wait until each has received so many messages, at most `patience_s`."""
        self._send({"expected": sent, "patience_s": patience_s})
        await self.during(self._have_all())

    async def all_received(self) -> JsonObject:
        """What each has received and when; their processes then end."""
        self._send({})
        return merged(await asyncio.gather(*self._reading))

    def _send(self, orders: JsonObject) -> None:
        for part in self._parts:
            part.process.send(orders)

    async def _have_all(self) -> None:
        for part in self._parts:
            await part.has_all.wait()

    @property
    def all_there(self) -> bool:
        """Whether all are connected. Raises `NotConnected` when all others cannot connect."""
        number, there, out = sum(part.efforts.clients for part in self._parts), self.there, self.out
        if out and there + sum(out.values()) >= number:
            raise NotConnected(out, number)
        return there >= number

    @property
    def there(self) -> int:
        """How many are connected."""
        return sum(part.there for part in self._parts)

    @property
    def out(self) -> dict[str, int]:
        """How many could not connect, by reason."""
        return sum((Counter(part.out) for part in self._parts), Counter())

    @property
    def messages(self) -> int:
        """Messages received by all of them."""
        return sum(part.messages for part in self._parts)

    @property
    def seen(self) -> JsonObject:
        """What they saw of the way to the lab, until every message has arrived (`lab.clients.seen`)."""
        return together([part.seen for part in self._parts])

    @property
    def efforts(self) -> list[Efforts]:
        """What each process used, from the timetable's zero until every message has arrived."""
        return [part.efforts for part in self._parts]


def merged(outcomes: Sequence[JsonObject]) -> JsonObject:
    """The last reports of all processes as one, as if one process had all listeners."""
    known = Events()
    received: list[Arrivals] = []
    away: dict[str, str] = {}
    ended: list[int] = []
    for outcome in outcomes:
        if outcome.get("ended"):  # before the run was over, with its machine
            ended += [*range(len(received), len(received) + len(outcome["all_received"]))]
        numbers = [known.number(event) for event in outcome["events"]]
        for arrivals in outcome["all_received"]:
            received.append([(numbers[which], moment) for which, moment in arrivals])
        away |= outcome["away"]
    return {"all_received": received, "events": known.all, "away": away, "ended": ended}


def parts(plan: JsonObject, processes: int) -> list[JsonObject]:
    """The plans of so many processes: each has a part of the listeners, as equal as possible.

    `first` is the number of its first listener and `of` their number in all, which give names and phases.
    """
    whole = plan["clients"]
    edges = [whole * number // processes for number in range(processes + 1)]
    plans = [plan | {"clients": end - first, "first": first, "of": whole} for first, end in pairwise(edges)]
    if processes == 1:
        return plans
    return [part | {"process": f"{number} of {processes}"} for number, part in enumerate(plans, 1)]


def here(plan: JsonObject) -> AbstractAsyncContextManager[ClientProcess]:
    """A process of simulated clients on this machine, as a child."""
    which = plan.get("process")
    name = f"Process {which} of the simulated clients" if which else "The process of the simulated clients"
    return child("lab.experiment.fleet", name, plan)


@asynccontextmanager
async def simulated(
    plan: JsonObject, stop: asyncio.Event, processes: int = 1, start: Start = here
) -> AsyncIterator[Clients]:
    """The simulated clients of this plan, in so many processes of their own, during the block.

    `start` is called once for each process, with its own plan (`parts`).
    """
    async with AsyncExitStack() as stack:
        each = [
            Part(await stack.enter_async_context(start(own)), own["clients"], stop)
            for own in parts(plan, processes)
        ]
        yield await stack.enter_async_context(Clients(each))
