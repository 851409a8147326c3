"""The history: the newest 100 messages in one Redis Stream, each stored exactly once.

The stream id of a message is its cursor, `<epoch>-<n>`, so nothing else has to be stored: the stream's last
id identifies the history and its end, also when the stream is empty. This is the only module that sends
commands to Redis.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from lab.errors import CannotStart, HistoryUnavailable
from lab.room.entries import MOST_FIELDS, Found, parse
from lab.room.messages import Cursor, Draft, Event
from lab.room.reasons import SENTENCES, code_of
from lab.room.scripts import DOUBTFUL, FIELDS, MEND, OPEN, PUBLISH, REPEATED, WRITE

KEPT = 100
READ = 2 * KEPT
"""Entries that a check reads; other programs may have put more into the stream than the lab keeps."""
READ_STRANGE = 5000
"""Entries that a repair reads, as strange entries may stand between the messages."""
MOST_MENDS = 10
"""Repairs in a row before the lab gives up, because another program writes faster than the lab repairs."""
PREFIX = "pushlab:"
REMEMBER_MID_S = 120
REMEMBER_REPORTS_S = 60
REMEMBER_LESSON_S = 3600
PUBLISH_PATIENCE_S = 2.0
TAIL_BLOCK_MS = 1000
TAIL_PATIENCE_S = 3.0
"""Longer than the tail blocks: a Redis that has not replied at all by then is unreachable."""
CONNECTIONS = 8
"""Connections to Redis for all commands; in a burst, senders queue in this pool and not in Redis."""
POOL_PATIENCE_S = 10.0
SIMULATED = "fake:"
"""The URL of a Redis simulated in this process, where no real one is available."""
OUTCOMES = {
    "keep": "The lab has removed it and continues",
    "renew": "The lab has begun a new history with the messages that are kept",
}

logger = logging.getLogger("pushlab")


class Unusable(RedisError):
    """A Redis that answers, but cannot be used by the lab; `reason` is a key of `SENTENCES`."""

    def __init__(self, reason: str) -> None:
        super().__init__(SENTENCES[reason])
        self.reason = reason


Unreachable = (RedisError, OSError, UnicodeError)
"""What reading and following raise when Redis cannot be reached or does not answer, or has no valid name."""
NotDone = (ResponseError, BusyLoadingError, AuthenticationError)
"""Errors with which Redis refuses a command."""


@dataclass(frozen=True)
class Kept:
    """The whole history: the cursor at its end, and the messages that are kept."""

    top: Cursor
    events: list[Event]


class History:
    """One room's messages in Redis.

    Two clients: one whose commands answer quickly or fail, and one for the tail, which blocks.
    Neither repeats a command by itself, because a repeated command is a second copy.
    """

    def __init__(self, url: str, room: str) -> None:
        self.key = PREFIX + room
        self._lesson = f"{self.key}:lesson"
        self._url = url
        self._commands = _client(url, PUBLISH_PATIENCE_S)
        self._tail = _client(url, TAIL_PATIENCE_S)
        self._publish = self._commands.register_script(PUBLISH)
        self._open = self._commands.register_script(OPEN)
        self._mend = self._commands.register_script(MEND)
        self._fields = self._commands.register_script(FIELDS)
        self._write = self._commands.register_script(WRITE)
        self._mending = asyncio.Lock()

    def of_room(self, room: str) -> "History":
        """The history of another room in the same Redis."""
        return History(self._url, room)

    async def publish(self, draft: Draft, known: Cursor) -> tuple[Cursor, bool]:
        """Store a message unless its mid is known; return its cursor, and whether it was stored before.

        Its cursor is later than `known`, the last one that the caller knows.
        Raises `HistoryUnavailable`: `stored` is False when Redis refused, "unknown" when it did not answer.
        """
        now = f"{time.time():.3f}"
        arguments: list[str | int] = [draft.mid, draft.username, draft.body, now]
        arguments += [known.epoch, known.n, REMEMBER_MID_S, KEPT]
        for _ in range(MOST_MENDS):
            id_, outcome = await self._ask_to_store([self.key, f"{self.key}:mid:{draft.mid}"], arguments)
            if outcome != DOUBTFUL:
                return Cursor.parse(id_.decode()), outcome == REPEATED
            await self._mended(known)
        raise HistoryUnavailable(False, SENTENCES["crowded"])

    async def _ask_to_store(self, keys: list[str], arguments: list[str | int]) -> tuple[bytes, int]:
        try:
            id_, outcome = await self._publish(keys, arguments)
        except NotDone as error:
            raise HistoryUnavailable(False, why(error)) from error
        except Unreachable as error:
            raise HistoryUnavailable("unknown") from error
        return id_, outcome

    async def _mended(self, known: Cursor) -> None:
        """Repair the history before a message is stored; an error means that the message is not stored."""
        try:
            await self.read(*known)
        except Unreachable as error:
            raise HistoryUnavailable(False, why(error)) from error

    async def read(self, epoch: int, n: int = 0) -> Kept:
        """All kept messages, up to this cursor at least; starts a history, later than `epoch`, when there is
        none.

        Entries of other programs are removed, and the log reports it. Where that would leave a hole, or give
        one id to two messages, a new history begins with the kept messages.
        """
        known = Cursor(epoch, n)
        if kept := _sound(await self._look(known, READ), known):
            return kept
        async with self._mending:  # one at a time: each strange entry is logged once
            for _ in range(MOST_MENDS):
                found = await self._look(known, READ_STRANGE)
                if kept := _sound(found, known):
                    return kept
                await self._mend_found(found, known)
        raise Unusable("crowded")

    async def _look(self, known: Cursor, count: int) -> Found:
        last_id, entries = await self._open([self.key], [known.epoch, count])
        return Found.read(last_id, entries[::-1], known)

    async def _mend_found(self, found: Found, known: Cursor) -> None:
        """Remove strange entries and keep every id; else begin a new history with the kept messages."""
        top = found.top_without(known)
        if found.top is None:
            outcome = OUTCOMES["keep" if top else "renew"]
            logger.warning("Redis key %s: %s. %s.", self.key, found.describe(), outcome)
        if top:
            await self._rebuild(top.epoch, "keep", str(top), found.strange)
        else:
            after = max(known.epoch, found.latest_epoch)
            await self._rebuild(found.epoch, "renew", str(after), found.strange)

    async def _rebuild(self, epoch: int, how: str, where: str, leave_out: Iterable[str] = ()) -> None:
        await self._mend([self.key], [epoch, how, where, KEPT, READ_STRANGE, MOST_FIELDS, *leave_out])

    async def follow(self, top: Cursor) -> list[Event]:
        """The messages after `top`: at once when there are any, else at the next message or after one second.

        Raises `Strange` for an entry that is no message: then call `read`.
        """
        streams: Any = await self._tail.xread({self.key: str(top)}, block=TAIL_BLOCK_MS, count=READ)
        return [parse(id_, fields) for _, entries in streams or () for id_, fields in entries]

    async def renew(self, epoch: int, known: int) -> None:
        """End a history whose ids cannot be trusted; its messages start a new one, later than `known`."""
        await self._rebuild(epoch, "renew", str(max(epoch, known)))

    async def refusal(self) -> str:
        """Why Redis stores nothing at this moment, as a key of `SENTENCES`; empty when it stores."""
        try:
            await self._write([f"{self.key}:check"])
        except ResponseError as error:
            return code_of(error)
        return ""

    async def exchange(self, lab: int, report: bytes) -> dict[int, bytes]:
        """Leave this lab's report for the other labs of the room; returns the last report of each lab."""
        await self._commands.hset(key := f"{self.key}:labs", str(lab), report)
        await self._commands.expire(key, REMEMBER_REPORTS_S)
        found: Any = await self._commands.hgetall(key)
        return {int(number): text for number, text in found.items()}

    async def keep_lesson(self, fields: dict[str, bytes], whole: bool) -> int:
        """Write fields of the guided lesson, for an hour; returns how many there are. `whole`: no others."""
        commands: Any = self._commands.pipeline()  # MULTI, so that no half of it is ever there
        if whole:
            commands.delete(self._lesson)
        commands.hset(self._lesson, mapping=fields).expire(self._lesson, REMEMBER_LESSON_S)
        return int((await commands.hlen(self._lesson).execute())[-1])

    async def kept_lesson(self, names: list[str], most_bytes: int) -> dict[str, bytes]:
        """Those of these fields of the guided lesson that exist; one with more bytes is returned empty."""
        texts: Any = await self._fields([self._lesson], [most_bytes, *names])
        return {name: text for name, text in zip(names, texts, strict=True) if text is not None}

    async def forget(self) -> None:
        """Delete all keys of this room from Redis."""
        await self._commands.delete(f"{self.key}:labs", self._lesson)
        await self._commands.delete(self.key)  # first: some Redis users may not SCAN for the other keys
        if mids := [key async for key in self._commands.scan_iter(f"{self.key}:mid:*", count=1000)]:
            await self._commands.delete(*mids)

    async def close(self) -> None:
        """Close both clients."""
        await self._commands.aclose()
        await self._tail.aclose()

    # Trying it out ---------------------------------------------------------------------------

    async def try_out(self) -> str:
        """Run each command of a room once and delete the keys; returns name and version, as "redis 7.0.15".

        Raises the error of the first command that fails.
        """
        name, draft = await self._who(), Draft(str(uuid4()), "lab", "lab")
        try:
            top = (await self.read(0)).top
            await self.publish(draft, top)
            await self.follow(top)
            await self.renew(top.epoch, top.epoch)
            await self._write([f"{self.key}:check"])
        finally:
            await self._commands.delete(self.key, f"{self.key}:mid:{draft.mid}")
        return name

    async def _who(self) -> str:
        try:
            info = await self._commands.info("server")
        except ResponseError:
            return "redis"  # this Redis user may not run INFO; the lab can do without it
        if (mode := info.get("redis_mode")) in ("cluster", "sentinel"):
            raise Unusable(mode)
        name = "valkey" if "valkey_version" in info else "redis"
        return f"{name} {info.get(f'{name}_version', '')}".rstrip()


def _sound(found: Found, known: Cursor) -> Kept | None:
    """The history, when it is valid; else None."""
    top = found.top
    return Kept(top, found.messages[-KEPT:]) if top is not None and top >= known else None


async def probe(url: str) -> str:
    """Run each of the lab's commands once on a Redis; returns its name and version, as "redis 7.0.15".

    Raises `CannotStart` with the reason, in a sentence, when it cannot be used.
    """
    history = History(url, f"probe-{uuid4().hex}")
    try:
        return await history.try_out()
    except (*Unreachable, HistoryUnavailable) as error:
        raise CannotStart(why(error)) from error
    except (TypeError, ValueError, LookupError, AttributeError) as error:  # it answers, but makes no sense
        raise CannotStart(SENTENCES["not_redis"]) from error
    finally:
        await history.close()


def why(error: BaseException) -> str:
    """One sentence that names the fault of Redis and the remedy, without any secret."""
    return SENTENCES[code_of(error)]


def _client(url: str, patience: float) -> Redis:
    if url == SIMULATED:
        from fakeredis import FakeAsyncRedis  # only where no real server is available

        return FakeAsyncRedis(server=_simulation())
    own: Any = {
        "max_connections": CONNECTIONS,
        "timeout": POOL_PATIENCE_S,
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,  # understood by every Redis that has streams
    }
    return Redis.from_pool(BlockingConnectionPool(**(parse_url(url) | own)))


@cache
def _simulation() -> Any:
    from fakeredis import FakeServer

    return FakeServer()
