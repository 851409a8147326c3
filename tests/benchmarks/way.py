"""The way of a message into a baseline: a line of text, a Redis stream, a loop over the listeners."""

import asyncio
import json
import sys
import threading

from redis.asyncio import Redis

from lab.server.redis_process import find
from tests.benchmarks.framing import message


def greet(port, say):
    """Print where to listen and where to send, for the process that started this."""
    print(json.dumps({"port": port, "say": say}), flush=True)


async def lines(received):
    """Listen for messages, one per line, and receive them from Redis; return what to close, and the port."""
    backend = await find("private")
    redis = Redis.from_url(backend.url)

    async def serve(reader, _):
        while line := await reader.readline():
            await redis.xadd("said", {"body": line.strip()}, maxlen=100, approximate=False)

    async def follow():
        last, n = "0", 0
        while True:
            for _, entries in await redis.xread({"said": last}, block=1000) or ():
                for id_, fields in entries:
                    last, n = id_, n + 1
                    received(message(n, fields[b"body"].decode()))

    tail = asyncio.create_task(follow())
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return Way(tail, server, redis, backend), server.sockets[0].getsockname()[1]


class Way:
    """What a message takes to its listeners."""

    def __init__(self, *parts):
        self.tail, self.server, self.redis, self.backend = parts

    async def close(self):
        """End all of it."""
        self.tail.cancel()
        self.server.close()
        await self.redis.aclose()
        self.backend.stop()


async def until_told():
    """Wait for the end of standard input."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def read():
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()
    await ended.wait()
