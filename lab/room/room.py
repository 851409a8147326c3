"""One chat room, and the three ways to hear of its news: ask, wait, stream.

The newest 100 messages stand in memory, in a ring that one task per process, the tail, fills from
the history in Redis. Every reader is answered from the ring, so "read, then register" happens
without a pause in between and no message can slip through.
"""

import asyncio
import random
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from lab.errors import HistoryUnavailable
from lab.room.history import KEPT, History, Kept, Unreachable
from lab.room.messages import Batch, Cursor, Draft, Event, bye, gap, reset

RECONNECT_S = 0.2
SHARED = 16
"""Places in the history whose readers share a batch; nearly all are at the end of it."""
REACH_S = 1.0
"""Seconds that a sender waits at most for its message to come back by the tail."""
CHECK_S = 1.0
"""Seconds after which the tail makes sure that it still follows the history that it started with."""


class Listener(Protocol):
    """One or many who are told everything: the room calls `hear` in the moment in which news arrives."""

    def __len__(self) -> int: ...

    def hear(self, batch: Batch) -> None:
        """Take what is new since the last call."""

    def say_goodbye(self, retry_ms: tuple[int, int]) -> None:
        """The server is leaving: come back after a random time in these bounds (ms)."""


class Room:
    """A history with readers. Open it before anyone asks; close it when everyone has left."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.top = Cursor(0, 0)
        self.reachable = False
        self.heard = float("-inf")
        """When Redis last answered, in seconds on the event loop's clock."""
        self.leaving: tuple[int, int] | None = None
        """Set when the server leaves: who asks from then on is sent away for a time (ms) in these bounds."""
        self.sending = 0
        """How many senders wait for their answer."""
        self._ring: deque[Event] = deque(maxlen=KEPT)
        self._shared: dict[Cursor | None, Batch] = {}
        """Until there is news, readers at the same place share one batch, and so its bytes."""
        self._waiters: dict[asyncio.Future[Batch], Cursor] = {}
        self._listeners: set[Listener] = set()
        self._taken: dict[str, float] = {}
        self._awaited: dict[asyncio.Future[None], Cursor] = {}
        self._checked = float("-inf")
        self._asking = asyncio.Lock()
        self._tail: asyncio.Task[None] | None = None

    # The three verbs -------------------------------------------------------------------------

    def ask(self, after: Cursor | None) -> Batch:
        """The events after my cursor, now, perhaps none. Without a cursor: everything kept."""
        batch = self._shared.get(after) or self._since(after)
        if len(self._shared) < SHARED:
            self._shared[after] = batch
        if self.leaving:  # whoever still asks is told to come back later
            return Batch((*batch.events, bye(random.randint(*self.leaving))), batch.cursor)
        return batch

    def _since(self, after: Cursor | None) -> Batch:
        if after == self.top:
            return Batch((), self.top)
        kept = list(self._ring)
        oldest = Cursor(self.top.epoch, self.top.n - len(kept))
        if after is None:
            return Batch(tuple(kept), self.top)
        if after.epoch != self.top.epoch or after.n > self.top.n:
            return Batch((reset(oldest), *kept), self.top)
        if after.n < oldest.n:
            return Batch((gap(oldest.n - after.n), *kept), self.top)
        return Batch(tuple(kept[after.n - oldest.n :]), self.top)

    def wait(self, after: Cursor | None) -> "asyncio.Future[Batch]":
        """A future of the events after my cursor. Cancel it, and the room forgets that you waited."""
        future: asyncio.Future[Batch] = asyncio.get_running_loop().create_future()
        batch = self.ask(after)
        if batch.events:
            future.set_result(batch)
        else:  # registered in the same turn in which the ring was read: nothing comes in between
            self._waiters[future] = batch.cursor
            future.add_done_callback(self._forget)
        return future

    def _forget(self, waiter: "asyncio.Future[Batch]") -> None:
        self._waiters.pop(waiter, None)

    def stream(self, listener: Listener, after: Cursor | None) -> Batch:
        """The events after my cursor, without end: these now, and every later one by `hear`."""
        self._listeners.add(listener)
        return self.ask(after)

    def leave(self, listener: Listener) -> None:
        """Stop telling this listener."""
        self._listeners.discard(listener)

    async def catch_up(self, after: Cursor) -> None:
        """Ask Redis whether this place exists already: another process may be ahead of this one."""
        async with self._asking:
            if after > self.top:
                with suppress(*Unreachable):
                    await self._check()

    # Speaking --------------------------------------------------------------------------------

    async def publish(self, draft: Draft) -> tuple[Cursor, bool]:
        """Store a message, once per mid; say where it stands and whether it stood there before.

        Whoever is told so also finds it here. Raises `HistoryUnavailable` with what is known of its fate.
        """
        if not self.reachable:
            raise HistoryUnavailable(False)
        self._taken.setdefault(draft.mid, self._now())
        self.sending += 1
        duplicate = True
        try:
            cursor, duplicate = await self.history.publish(draft, self.top)
            await self._reached(cursor)
            return cursor, duplicate
        finally:
            self.sending -= 1
            if duplicate:  # or failed: either way this mid has no first arrival to wait for
                self._taken.pop(draft.mid, None)

    async def _reached(self, cursor: Cursor) -> None:
        """Wait until the tail has brought this message, but no longer than a moment."""
        if self.top < cursor:
            reached = asyncio.get_running_loop().create_future()
            self._awaited[reached] = cursor
            await asyncio.wait([reached], timeout=REACH_S)
            self._awaited.pop(reached, None)

    # Opening, closing ------------------------------------------------------------------------

    async def open(self) -> None:
        """Load what is kept and follow the history from there."""
        self._adopt(await self.history.read(self.top.epoch))
        self._tail = asyncio.create_task(self._follow())

    def say_goodbye(self, retry_ms: tuple[int, int]) -> None:
        """Tell every reader to go, each with a moment (ms, in these bounds) of its own to come back at."""
        for waiter, after in list(self._waiters.items()):
            if not waiter.done():
                waiter.set_result(Batch((bye(random.randint(*retry_ms)),), after))
        for listener in list(self._listeners):
            listener.say_goodbye(retry_ms)

    async def close(self) -> None:
        """Stop following the history and let Redis go."""
        while self._tail is not None and not self._tail.done():
            self._tail.cancel()  # more than once: redis-py swallows one that comes while it connects
            await asyncio.wait([self._tail], timeout=0.05)
        await self.history.close()

    @property
    def readers(self) -> int:
        """How many readers are held at this moment."""
        return len(self._waiters) + sum(map(len, self._listeners))

    # The tail --------------------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            try:
                await self._check()
                while self._now() - self._checked < CHECK_S:
                    self._take(await self.history.follow(self.top))
            except Unreachable:
                self.reachable = False
                await asyncio.sleep(RECONNECT_S)

    async def _check(self) -> None:
        """Is this still the history that the ring was filled from? A restored backup reuses its ids."""
        known = self.top  # what came since is no reason to call the answer old
        kept = await self.history.read(known.epoch)
        if kept.top < known or self._contradicts(kept):
            await self.history.renew(kept.top.epoch, self.top.epoch)
            kept = await self.history.read(self.top.epoch)
        self._adopt(kept)

    def _contradicts(self, kept: Kept) -> bool:
        ring = {event.cursor: event.json for event in self._ring}
        return any(ring.get(event.cursor, event.json) != event.json for event in kept.events)

    def _adopt(self, kept: Kept) -> None:
        self._checked = self._now()
        if kept.top.epoch <= self.top.epoch:
            self._take(kept.events)
            return
        self.reachable, self.heard = True, self._now()
        before, self.top = self.top, kept.top
        self._ring = deque(kept.events, maxlen=KEPT)
        self._taken.clear()
        self._announce(before)

    def _take(self, events: list[Event]) -> None:
        self.reachable, self.heard = True, self._now()
        before = self.top
        for event in events:
            assert event.cursor is not None
            if event.cursor <= self.top:
                continue  # the tail and a check may both have asked for it
            if event.cursor.epoch != self.top.epoch:
                self._checked = float("-inf")  # another history: the check takes it in whole
                break
            if event.cursor.n != self.top.n + 1:
                self._ring.clear()  # more came than the history keeps; readers are told of the gap
            self._ring.append(replace(event, taken=self._taken.pop(event.mid, self.heard)))
            self.top = event.cursor
        if before != self.top:
            self._announce(before)

    def _announce(self, before: Cursor) -> None:
        for reached, cursor in self._awaited.items():
            if cursor <= self.top and not reached.done():
                reached.set_result(None)
        self._shared.clear()
        for waiter, after in self._waiters.items():
            if not waiter.done():
                waiter.remove_done_callback(self._forget)  # with news, all are forgotten at once
                waiter.set_result(self.ask(after))
        self._waiters.clear()
        batch = self.ask(before)
        for listener in list(self._listeners):
            listener.hear(batch)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
