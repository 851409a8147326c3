"""The lab's wall clock jumps, by libfaketime; its monotonic clock does not. Redis cannot bear libfaketime."""

import os
import tempfile
from pathlib import Path

from tests.faults.scene import Scene

LIBRARIES = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
FILE = Path(tempfile.gettempdir()) / f"pushlab-clock-{os.getpid()}"
SET = {
    "LD_PRELOAD": str(LIBRARIES[0]) if LIBRARIES else "",
    "FAKETIME_TIMESTAMP_FILE": str(FILE),
    "FAKETIME_NO_CACHE": "1",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
}


def faketime_missing() -> str | None:
    """Why the clock cannot be set here."""
    return None if LIBRARIES else "libfaketime is missing (apt-get install faketime)"


async def jump(scene: Scene) -> None:
    """The clock of the lab goes an hour ahead, an hour back, and right again: nobody notices."""
    scene.closing.append(lambda: FILE.unlink(missing_ok=True))
    for hours in (1, -1, 0):
        FILE.write_text(f"{3600 * hours:+d}\n")
        await scene.pause(3)
