"""A lab for a measured run: `python -m lab.server`. At the end it deletes its room from Redis.

Its settings are a JSON object of `lab.settings.Settings` fields: the first line of standard input, because
every user of the machine can read a command line and the address of a Redis may hold a password; or, where
that does not matter, the one argument. Prints one line of JSON with its address, or with the reason why it
could not start, and ends when its standard input does, so that it never outlives the process that started it.
"""

import asyncio
import json
import os
import sys
import threading
from contextlib import suppress

from lab.errors import CannotStart
from lab.server.api.reports import versions
from lab.server.ending import Ending, stop_on_signals
from lab.server.lifecycle import running
from lab.server.logs import keep_log
from lab.settings import Settings


def main() -> int:
    """Serve until the end of standard input or a signal. Returns the exit code."""
    keep_log()
    settings = Settings(**json.loads(sys.argv[1] if sys.argv[1:] else sys.stdin.buffer.readline()))
    try:
        asyncio.run(serve(settings))
    except CannotStart as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 3
    return 0


async def serve(settings: Settings) -> None:
    """Open the lab, print its address, and wait for the end of standard input or a signal."""
    stop = stop_on_signals()
    loop = asyncio.get_running_loop()
    # A thread, because a pipe cannot be awaited on every system.
    threading.Thread(target=_read_to_end, args=(loop, stop), daemon=True).start()
    with stop.cut_short():
        async with running(settings, temporary=True) as lab:
            place = {"host": lab.host, "port": lab.port, "versions": versions(lab.context)}
            print(json.dumps(place), flush=True)
            await stop.wait()


def _read_to_end(loop: asyncio.AbstractEventLoop, stop: Ending) -> None:
    while os.read(0, 4096):
        pass
    with suppress(RuntimeError):  # the lab has ended before its input did
        loop.call_soon_threadsafe(stop.request)


if __name__ == "__main__":
    sys.exit(main())
