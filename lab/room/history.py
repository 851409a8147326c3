"""The history: the newest 100 messages in one Redis Stream, each stored exactly once.

The stream id of a message is its cursor, `<epoch>-<n>`, so nothing has to be kept beside the
stream: its own last id says which history this is and how far it goes, also when it is empty.
This is the only module that speaks to Redis.
"""

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from lab.errors import CannotStart, HistoryUnavailable
from lab.room.messages import Cursor, Draft, Event, compact

KEPT = 100
PREFIX = "pushlab:"
REMEMBER_MID_S = 120
PUBLISH_PATIENCE_S = 2.0
TAIL_BLOCK_MS = 1000
TAIL_PATIENCE_S = 3.0
"""Longer than the tail blocks: a Redis that does not even say "nothing new" by then is gone."""
CONNECTIONS = 8
"""To Redis, for all commands together: a burst of senders waits in line here, not at the server."""
POOL_PATIENCE_S = 10.0
SIMULATED = "fake:"
"""The URL that stands for a Redis simulated in this process, where no real one can be had."""

# Where the history ends, as Redis knows it; a history begins here when there is none. A stream
# trimmed to nothing keeps its last id, so an empty history still knows its epoch. `renew` ends a history
# whose ids cannot be trusted: what is kept moves to a new one.
TOP = """
local function begin(key, after)
  local now = redis.call('TIME')
  local epoch = math.max(now[1] * 1000 + math.floor(now[2] / 1000), after + 1)
  redis.call('XADD', key, 'MAXLEN', '=', '0', string.format('%.0f-0', epoch), 'begin', '1')
  return string.format('%.0f', epoch), 0
end
local function top(key, after)
  if redis.call('EXISTS', key) == 0 then return begin(key, after) end
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return string.match(info[i + 1], '(%d+)-(%d+)') end
  end
end
local function renew(key, after)
  local kept = redis.call('XRANGE', key, '-', '+')
  redis.call('DEL', key)
  local epoch = begin(key, after)
  for n, entry in ipairs(kept) do redis.call('XADD', key, epoch .. '-' .. n, unpack(entry[2])) end
  return epoch, #kept
end
"""

# KEYS: stream, mid · ARGV: mid, username, body, time, epoch and n known, seconds to remember the mid, kept
# A history that ends before the last place known is an old copy, and would give known ids to other messages.
PUBLISH = f"""{TOP}
local known = redis.call('GET', KEYS[2])
if known then return {{known, 1}} end
local epoch, n = top(KEYS[1], ARGV[5])
local behind = tonumber(epoch) - tonumber(ARGV[5])
if behind < 0 or behind == 0 and tonumber(n) < tonumber(ARGV[6]) then epoch, n = renew(KEYS[1], ARGV[5]) end
local id = epoch .. '-' .. string.format('%.0f', n + 1)
redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[8], id,
  'mid', ARGV[1], 'username', ARGV[2], 'body', ARGV[3], 'time', ARGV[4])
redis.call('SET', KEYS[2], id, 'EX', ARGV[7])
return {{id, 0}}
"""

# KEYS: stream · ARGV: last epoch known
OPEN = f"""{TOP}
local epoch, n = top(KEYS[1], ARGV[1])
return {{epoch .. '-' .. n, redis.call('XRANGE', KEYS[1], '-', '+')}}
"""

# KEYS: stream · ARGV: the epoch that must not go on, the last one known
RENEW = f"""{TOP}
if top(KEYS[1], ARGV[2]) == ARGV[1] then renew(KEYS[1], ARGV[2]) end
"""


@dataclass(frozen=True)
class Kept:
    """The whole history as it stands: where it ends, and the messages that are kept."""

    top: Cursor
    events: list[Event]


class History:
    """One room's messages in Redis.

    Two clients: one whose commands answer quickly or fail, and one for the tail, which blocks.
    Neither repeats a command by itself, because a repeated command is a second copy.
    """

    def __init__(self, url: str, room: str) -> None:
        self.key = PREFIX + room
        self._commands = _client(url, PUBLISH_PATIENCE_S)
        self._tail = _client(url, TAIL_PATIENCE_S)
        self._publish = self._commands.register_script(PUBLISH)
        self._open = self._commands.register_script(OPEN)
        self._renew = self._commands.register_script(RENEW)

    async def publish(self, draft: Draft, known: Cursor) -> tuple[Cursor, bool]:
        """Store a message unless its mid is known; say where it stands and whether it stood there before.

        It gets a place behind `known`, the last one that the caller has heard of.
        Raises `HistoryUnavailable`: `stored` is False when Redis refused, "unknown" when it did not answer.
        """
        now = f"{time.time():.3f}"
        arguments: list[str | int] = [draft.mid, draft.username, draft.body, now]
        arguments += [known.epoch, known.n, REMEMBER_MID_S, KEPT]
        try:
            id_, duplicate = await self._publish([self.key, f"{self.key}:mid:{draft.mid}"], arguments)
        except ResponseError as error:
            raise HistoryUnavailable(False) from error
        except (RedisError, OSError) as error:
            raise HistoryUnavailable("unknown") from error
        return Cursor.parse(id_.decode()), bool(duplicate)

    async def read(self, epoch: int) -> Kept:
        """Everything kept. A history begins, later than `epoch` (ms), when there is none."""
        answer: list[Any] = await self._open([self.key], [epoch])
        top, entries = answer
        return Kept(Cursor.parse(top.decode()), [_event(id_, fields) for id_, fields in entries])

    async def follow(self, top: Cursor) -> list[Event]:
        """The messages after `top`: at once when there are any, else when one comes or after a second."""
        streams: Any = await self._tail.xread({self.key: str(top)}, block=TAIL_BLOCK_MS)
        return [_event(id_, fields) for _, entries in streams or () for id_, fields in entries]

    async def renew(self, epoch: int, known: int) -> None:
        """End a history whose ids cannot be trusted; what is kept starts a new one, later than `known`."""
        await self._renew([self.key], [epoch, max(epoch, known)])

    async def forget(self) -> None:
        """Leave nothing of this room in Redis."""
        mids = [key async for key in self._commands.scan_iter(f"{self.key}:mid:*")]
        await self._commands.delete(self.key, *mids)

    async def close(self) -> None:
        """Let both connections go."""
        await self._commands.aclose()
        await self._tail.aclose()


Unreachable = (RedisError, OSError)
"""What reading and following raise when Redis cannot be reached or does not answer."""


async def probe(url: str) -> str:
    """Ask a Redis who it is, as in "redis 7.0.15". Raises `CannotStart` when it does not let the lab in."""
    try:
        client = _client(url, PUBLISH_PATIENCE_S)
    except ValueError as error:
        raise CannotStart(f"This is no Redis URL: {without_password(url)}") from error
    try:
        info = await client.info("server")
    except Unreachable as error:
        raise CannotStart(f"Redis at {without_password(url)} does not answer: {error}") from error
    finally:
        await client.aclose()
    return (
        f"valkey {info['valkey_version']}" if "valkey_version" in info else f"redis {info['redis_version']}"
    )


def without_password(url: str) -> str:
    """A Redis URL as it may be shown."""
    scheme, _, rest = url.rpartition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _client(url: str, patience: float) -> Redis:
    if url == SIMULATED:
        from fakeredis import FakeAsyncRedis  # only where no real server can be had

        return FakeAsyncRedis(server=_simulation())
    never_repeat = Retry(NoBackoff(), 0)
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=POOL_PATIENCE_S,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        retry=never_repeat,
    )
    return Redis.from_pool(pool)


@cache
def _simulation() -> Any:
    from fakeredis import FakeServer

    return FakeServer()


def _event(id_: bytes, fields: dict[bytes, bytes] | list[bytes]) -> Event:
    if isinstance(fields, list):  # a script hands the pairs over one after the other
        fields = dict(zip(fields[::2], fields[1::2], strict=True))
    mid = fields[b"mid"].decode()
    message = {
        "type": "message",
        "id": id_.decode(),
        "mid": mid,
        "username": fields[b"username"].decode(),
        "body": fields[b"body"].decode(),
        "time": _number(fields[b"time"]),
    }
    return Event(compact(message), Cursor.parse(id_.decode()), mid=mid)


def _number(text: bytes) -> float:
    """Written as JavaScript writes it, a full second without ".0", so that pages count the same bytes."""
    number = float(text)
    return int(number) if number.is_integer() else number
