"""A lab for a measured run, or one of several: `python -m lab.server`. At the end it deletes its room from
Redis, unless it shares that with others.

Its settings are a JSON object of `lab.settings.Settings` fields, and perhaps a `logging` level: the first
line of standard input, because every user of the machine can read a command line and the address of a Redis
may hold a password; or, where that does not matter, the one argument. Prints one line of JSON with its
address, or with the reason why it could not start, and ends when its standard input does, so that it never
outlives the process that started it.
"""

import asyncio
import json
import sys

from lab.errors import CannotStart
from lab.server.api.reports import versions
from lab.server.ending import stop_on_signals
from lab.server.lifecycle import running
from lab.server.logs import keep_log
from lab.settings import Front, Settings


def main() -> int:
    """Serve until the end of standard input or a signal. Returns the exit code."""
    orders = json.loads(sys.argv[1] if sys.argv[1:] else sys.stdin.buffer.readline())
    keep_log(orders.pop("logging", "warning"))
    front = Front(**orders.pop("front")) if "front" in orders else None
    try:
        asyncio.run(serve(Settings(front=front, **orders)))
    except CannotStart as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 3
    return 0


async def serve(settings: Settings) -> None:
    """Open the lab, print its address, and wait for the end of standard input or a signal."""
    stop = stop_on_signals()
    stop.follow_input()
    alone = settings.front is None or not settings.front.shared
    with stop.cut_short():
        async with running(settings, temporary=alone) as lab:
            place = {"host": lab.host, "port": lab.port, "versions": versions(lab.context)}
            print(json.dumps(place), flush=True)
            await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
