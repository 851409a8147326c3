"""One trial of a proxy: a listener of each technique behind it, a silence, two messages; what each one saw.

The publisher sends directly to the lab. A message that is held back arrives when the lab ends its responses.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from lab.catalogue import MODES
from lab.clients.link import Event, Link, Refused, SentAway
from lab.clients.reconnecting import keep_receiving
from lab.clients.seen import Seen, summed
from lab.experiment.publisher import send
from lab.json_types import JsonObject
from lab.proxy.switches import Switches

OK, LATE, CUT, REFUSED = "ok", "late", "cut", "refused"
BODIES = ["one", "two"]
INTERVAL_S = 0.5
"""Seconds that the short poller waits after each response."""
LONGEST_SILENCE_S = 6.0
"""A longer timeout is not waited for."""
BEYOND_S = 1.0
"""How much longer the silence is than the timeout that it shall exceed."""
LATE_S = 3.0
"""A message that has not arrived after this time is held back."""
RECONNECTS_S = 10.0
"""The same for a listener that was cut and reconnects: longer than its longest pause."""
RELEASE_S = 6.0
"""Seconds in which held-back messages arrive after the lab has ended its responses."""
POLL_S = 0.02


def silence_of(switches: Switches) -> float:
    """Seconds without a message: longer than every short timeout of the proxy."""
    timeout = 2 * switches.timeout if switches.retry else switches.timeout  # two labs are asked
    limits = [limit + BEYOND_S for limit in (timeout, switches.idle) if limit]
    return max([limit for limit in limits if limit <= LONGEST_SILENCE_S], default=BEYOND_S)


class Listener:
    """The listener of one technique: what has arrived, what failed, and when."""

    def __init__(self, mode: str, url: str, after: str) -> None:
        self.mode, self.seen = mode, Seen()
        self.bodies: list[str] = []
        self.arrived: list[float] = []
        self.first_byte_s: float | None = None
        """From the first accepted request to the first byte of its response."""
        self.failed_s: float | None = None
        """From the first request that failed to its failure."""
        self.statuses: list[int] = []
        """The status of each request that failed; 0 for a connection that has ended."""
        self.released = False
        """Whether messages had to be released by the end of their response."""
        self._asked = 0.0
        callbacks: JsonObject = {"asks": self._ask, "accepts": self._accept, "fails": self._fail}
        self.link = Link(url, self._take, after, interval=INTERVAL_S, client=mode, **callbacks)
        self.task = asyncio.create_task(keep_receiving(mode, self.link))

    def _ask(self) -> None:
        self.seen.ask()
        self._asked = time.monotonic()

    def _accept(self) -> None:
        if self.first_byte_s is None:
            self.first_byte_s = time.monotonic() - self._asked

    def _fail(self, error: Exception) -> None:
        self.seen.fail(error)
        if isinstance(error, SentAway):
            return
        self.statuses.append(error.status if isinstance(error, Refused) else 0)
        if self.failed_s is None:
            self.failed_s = time.monotonic() - self._asked

    def _take(self, events: list[Event]) -> None:
        bodies = [event["body"] for event in events if event["type"] == "message"]
        self.bodies += bodies
        self.arrived += [time.monotonic()] * len(bodies)

    @property
    def refused(self) -> int | None:
        """The status with which it was refused for good."""
        error = self.task.exception() if self.task.done() and not self.task.cancelled() else None
        return error.status if isinstance(error, Refused) else None

    @property
    def complete(self) -> bool:
        """Whether all messages have arrived, or none ever will."""
        return self.bodies == BODIES or self.task.done()

    def held_back(self, sent_at: float) -> bool:
        """Whether messages are held back, by a connection that has not failed."""
        return self.lamp() == LATE and time.monotonic() - sent_at > LATE_S

    async def close(self) -> None:
        """End it."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.link.__aexit__()

    def lamp(self) -> str:
        """What happened, in one word."""
        found = summed([self.seen])
        if self.refused:
            return REFUSED
        if found["statuses"] or found["close_codes"] or found["cuts"] or found["silent"]:
            return CUT
        return OK if self.bodies == BODIES and not self.released else LATE

    def as_json(self, sent_at: float) -> JsonObject:
        """The word and its evidence; durations in seconds, from the send for the messages."""
        found, (first, *later) = summed([self.seen]), self.statuses or [0]
        return {
            "mode": self.mode,
            "lamp": self.lamp(),
            "status": self.refused or (first or None),
            "then": next((status for status in later if status not in (0, first)), None),
            "close_code": next(map(int, found["close_codes"]), None),
            "first_byte_s": self.first_byte_s,
            "failed_s": self.failed_s,
            "messages_s": [at - sent_at for at in self.arrived],
        }


@asynccontextmanager
async def _listeners(url: str, after: str) -> AsyncIterator[list[Listener]]:
    async with AsyncExitStack() as stack:
        every = [Listener(mode, url, after) for mode in MODES]
        for one in every:
            stack.push_async_callback(one.close)
        yield every


async def trial(
    lab: str,
    url: str,
    silence_s: float,
    release: Callable[[], Awaitable[None]],
    step: Callable[[str, list[JsonObject]], Awaitable[None]],
) -> None:
    """Try every technique through the proxy at `url`, in front of the lab at `lab`.

    `step` is called at each step with its name and the results so far, the last time with `done`. `release`
    ends the lab; it is called only when messages are held back.
    """
    async with Link(lab) as publisher:
        after = (await send("fetch", publisher, "the first", str(uuid.uuid4())))["id"]
        async with _listeners(url, after) as every:
            await step("silence", [])
            await asyncio.sleep(silence_s)
            sent_at = time.monotonic()
            await step("messages", [])
            for body in BODIES:
                await send("fetch", publisher, body, str(uuid.uuid4()))
            await _until(lambda: all(one.complete or one.held_back(sent_at) for one in every), RECONNECTS_S)
            results = [one.as_json(sent_at) for one in every]
            if late := [one for one in every if one.lamp() == LATE]:
                await step("release", results)
                await _released(late, release)
                results = [
                    one.as_json(sent_at) if one in late else old
                    for one, old in zip(every, results, strict=True)
                ]
            await step("done", results)


async def _released(held: list[Listener], release: Callable[[], Awaitable[None]]) -> None:
    for one in held:
        one.released = True
    await release()
    await _until(lambda: all(one.complete for one in held), RELEASE_S)


async def _until(is_so: Callable[[], bool], patience_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while not is_so():  # noqa: ASYNC110 - many different events can make it true
                await asyncio.sleep(POLL_S)
