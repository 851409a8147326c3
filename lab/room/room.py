"""One chat room, and three ways to receive its new messages: ask, wait, stream.

The newest 100 messages are in memory, in a ring that one task per process, the tail, fills from
the history in Redis. Every listener is answered from the ring, so "read, then register" happens
without an await in between, and no message is missed.
"""

import asyncio
import logging
import random
from collections import deque
from contextlib import suppress
from dataclasses import replace

from lab.errors import HistoryUnavailable
from lab.room.entries import Strange
from lab.room.history import KEPT, History, Kept, NotDone, Unreachable
from lab.room.listener import Listener, notify
from lab.room.messages import Batch, Cursor, Draft, Event, bye, gap, reset
from lab.room.reasons import SENTENCES, code_of
from lab.room.tasks import Tasks

RECONNECT_S = 0.2
SHARED = 16
"""Cursors for which a batch is cached and shared; nearly all listeners are at the end of the history."""
REACH_S = 1.0
"""Longest time, in seconds, that a sender waits until the tail has read its message."""
MOST_TIMED = 10_000
"""Messages whose time of arrival is remembered until the tail has read them."""
CHECK_S = 1.0
"""Seconds after which the tail makes sure that it still follows the history that it started with."""
NEVER = float("-inf")
TAIL = "that follows the history"

logger = logging.getLogger("pushlab")


class Room:
    """A history with listeners. Call `open` before the first request and `close` after the last."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.top = Cursor(0, 0)
        self.tasks = Tasks()
        """The long-lived tasks of this lab: the tail, and what others add."""
        self.reachable = False
        self.trouble = "unreachable"
        """The fault of Redis, as a key of `SENTENCES`; empty while it answers and stores."""
        self.last_reply_at = NEVER
        """When Redis last answered, in seconds on the event loop's clock."""
        self.leaving: tuple[int, int] | None = None
        """Set when the server closes: later requests get a `bye` with a time (ms) in these bounds."""
        self.sending = 0
        """How many sends wait for Redis or for the tail."""
        self._ring: deque[Event] = deque(maxlen=KEPT)
        self._shared: dict[Cursor | None, Batch] = {}
        """Until the next event, listeners with the same cursor share one batch, and so its bytes."""
        self._waiters: dict[asyncio.Future[Batch], Cursor] = {}
        self._listeners: set[Listener] = set()
        self._accepted_at: dict[str, float] = {}
        self._awaited: dict[asyncio.Future[None], Cursor] = {}
        self._checked = NEVER
        self._asking = asyncio.Lock()

    # The three verbs -------------------------------------------------------------------------

    def ask(self, after: Cursor | None) -> Batch:
        """The events after a cursor, now, perhaps none. Without a cursor: all kept messages."""
        batch = self._shared.get(after) or self._since(after)
        if len(self._shared) < SHARED:
            self._shared[after] = batch
        if self.leaving:  # a late request gets a `bye`
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
        """A future of the events after a cursor. Cancel it to remove the waiter from the room."""
        future: asyncio.Future[Batch] = asyncio.get_running_loop().create_future()
        batch = self.ask(after)
        if batch.events:
            future.set_result(batch)
        else:  # registered in the same turn in which the ring was read: no event arrives in between
            self._waiters[future] = batch.cursor
            future.add_done_callback(self._forget)
        return future

    def _forget(self, waiter: "asyncio.Future[Batch]") -> None:
        self._waiters.pop(waiter, None)

    def stream(self, listener: Listener, after: Cursor | None) -> Batch:
        """The events after a cursor, without end: these now, and every later one by `notify`."""
        self._listeners.add(listener)
        return self.ask(after)

    def leave(self, listener: Listener) -> None:
        """Stop notifying this listener."""
        self._listeners.discard(listener)

    async def catch_up(self, after: Cursor) -> None:
        """Read from Redis whether this cursor exists already: another process may be ahead of this one."""
        async with self._asking:
            if after > self.top:
                with suppress(*Unreachable):
                    await self._check()

    # Publishing ------------------------------------------------------------------------------

    async def publish(self, draft: Draft) -> tuple[Cursor, bool]:
        """Store a message, once per mid; return its cursor, and whether it was stored before.

        When this returns, the message can be read here. Raises `HistoryUnavailable`, which states whether it
        was stored.
        """
        if not self.reachable:
            raise HistoryUnavailable(False, SENTENCES[self.trouble or "unreachable"])
        self._accepted_at.setdefault(draft.mid, self._now())
        if len(self._accepted_at) > MOST_TIMED:
            del self._accepted_at[next(iter(self._accepted_at))]
        self.sending += 1
        duplicate = True
        try:
            cursor, duplicate = await self.history.publish(draft, self.top)
            self._suffers("")
            await self._reached(cursor)
            if cursor <= self.top:  # read by the tail, or not kept any more when it came to read it
                self._accepted_at.pop(draft.mid, None)
            return cursor, duplicate
        except HistoryUnavailable as error:
            if isinstance(error.__cause__, NotDone):
                self._suffers(code_of(error.__cause__))
            raise
        finally:
            self.sending -= 1
            if duplicate:  # or failed: either way this mid has no first arrival to wait for
                self._accepted_at.pop(draft.mid, None)

    async def _reached(self, cursor: Cursor) -> None:
        """Wait until the tail has read this message, at most `REACH_S` seconds."""
        if self.top < cursor:
            reached = asyncio.get_running_loop().create_future()
            self._awaited[reached] = cursor
            await asyncio.wait([reached], timeout=REACH_S)
            self._awaited.pop(reached, None)

    # Opening, closing ------------------------------------------------------------------------

    async def open(self) -> None:
        """Load the kept messages and follow the history from there."""
        self._adopt(await self.history.read(*self.top))
        self.trouble = ""
        self.tasks.keep(TAIL, self._follow, vital=True)

    def send_bye(self, retry_ms: tuple[int, int]) -> None:
        """Send a `bye` to every listener, each with its own random time to reconnect (ms, in these
        bounds)."""
        for waiter, after in list(self._waiters.items()):
            if not waiter.done():
                waiter.set_result(Batch((bye(random.randint(*retry_ms)),), after))
        for listener in list(self._listeners):
            listener.send_bye(retry_ms)

    async def close(self) -> None:
        """Stop following the history and close the connections to Redis."""
        await self.tasks.stop_all()
        await self.history.close()

    def counts(self) -> dict[str, int]:
        """How many entries each of its collections has; all are empty when every client has left."""
        lists = {"waiters": self._waiters, "listeners": self._listeners}
        lists |= {"awaited": self._awaited, "accepted_at": self._accepted_at}
        return {name: len(entries) for name, entries in lists.items()}

    @property
    def readers(self) -> int:
        """How many requests wait or stream at this moment."""
        return len(self._waiters) + sum(map(len, self._listeners))

    # The tail --------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """One turn of the tail: check the whole history, then follow it until the next check is due."""
        try:
            await self._check()
            self._suffers(await self.history.refusal())
            while self._now() - self._checked < CHECK_S:
                self._take(await self.history.follow(self.top))
        except Strange:
            self._checked = NEVER
        except Unreachable as error:
            self.reachable = False
            self._suffers(code_of(error))
            await asyncio.sleep(RECONNECT_S)

    def _suffers(self, trouble: str) -> None:
        """Record the fault of Redis, or that there is none; a change is logged."""
        if trouble and trouble != self.trouble:
            logger.warning("%s The lab tries again.", SENTENCES[trouble])
        elif self.trouble and not trouble:
            logger.warning("Redis answers and stores messages again.")
        self.trouble = trouble

    async def _check(self) -> None:
        """Is this still the history that the ring was filled from? A restored backup reuses its ids."""
        known = self.top  # messages that arrive during the check do not make its answer old
        kept = await self.history.read(*known)
        if self._contradicts(kept):
            await self.history.renew(kept.top.epoch, self.top.epoch)
            kept = await self.history.read(*self.top)
        self._adopt(kept)

    def _contradicts(self, kept: Kept) -> bool:
        ring = {event.cursor: event.json for event in self._ring}
        return any(ring.get(event.cursor, event.json) != event.json for event in kept.events)

    def _adopt(self, kept: Kept) -> None:
        self._checked = self._now()
        if kept.top.epoch <= self.top.epoch:
            self._take(kept.events, kept.top)
            return
        self.reachable, self.last_reply_at = True, self._now()
        before, self.top = self.top, kept.top
        self._ring = deque(kept.events, maxlen=KEPT)
        self._accepted_at.clear()
        self._announce(before)

    def _take(self, events: list[Event], top: Cursor | None = None) -> None:
        """Add new events: those that the tail has read, or all kept messages of the history up to its top."""
        self.reachable, self.last_reply_at = True, self._now()
        before = self.top
        for event in events:
            assert event.cursor is not None
            if event.cursor <= self.top:
                continue  # the tail and a check may both have asked for it
            if event.cursor != (self.top.epoch, self.top.n + 1):
                if top is None:
                    self._checked = NEVER  # a hole or another history: the check reads all of it
                    break
                self._ring.clear()  # more arrived than the history keeps; listeners receive a gap event
            self._ring.append(
                replace(event, accepted_at=self._accepted_at.pop(event.mid, self.last_reply_at))
            )
            self.top = event.cursor
        if top is not None and self.top < top:  # the new messages are not kept any more
            self._ring.clear()
            self.top = top
        if before != self.top:
            self._announce(before)

    def _announce(self, before: Cursor) -> None:
        for reached, cursor in self._awaited.items():
            if cursor <= self.top and not reached.done():
                reached.set_result(None)
        self._shared.clear()
        for waiter, after in self._waiters.items():
            if not waiter.done():
                waiter.remove_done_callback(self._forget)  # `_waiters` is cleared as a whole below
                waiter.set_result(self.ask(after))
        self._waiters.clear()
        batch = self.ask(before)
        for listener in list(self._listeners):
            notify(listener, batch)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
