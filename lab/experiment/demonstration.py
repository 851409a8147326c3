"""One simulated client of each technique, all in one process that needs little of the processor.

`python -m lab.experiment.demonstration PLAN`, with a plan in JSON: the `modes`, and the fields of a `link`.
It counts nothing and prints nothing, and it ends when its standard input does.
"""

import asyncio
import json
import sys

from lab.clients.link import Link
from lab.clients.reconnecting import keep_receiving
from lab.json_types import JsonObject


async def receive(plan: JsonObject) -> None:
    """Receive by each technique of the plan until standard input ends."""
    clients = [asyncio.create_task(one(mode, plan["link"])) for mode in plan["modes"]]
    await asyncio.to_thread(sys.stdin.readline)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)


async def one(mode: str, link: JsonObject) -> None:
    """One client, which reconnects by itself."""
    async with Link(**link) as client:
        await keep_receiving(mode, client)


if __name__ == "__main__":
    asyncio.run(receive(json.loads(sys.argv[1])))
