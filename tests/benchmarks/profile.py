"""Where the server's time goes while it is loaded: `python -m tests.benchmarks.profile WORD [KIND]`.

KIND is a server of the benchmark (lab, unmetered, tornado, delegate, websockets, aiohttp). Prints which
functions were running, by themselves and with all that they call, in per cent of the time that was not
spent waiting. Needs py-spy (`pip install py-spy`), which looks from outside, 500 times a second.
"""

import argparse
import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.cell import Cell
from tests.benchmarks.machine import LOADS, raise_limits

SECONDS, TOP = 8, 25
WAITING = ("select (selectors", "read_to_end (", "until_told")
"""The event loop for events, and a thread for the end of standard input."""


def main():
    """Load a server, sample it, print what was found; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode")
    parser.add_argument("kind", nargs="?", default="lab")
    options = parser.parse_args()
    if shutil.which("py-spy") is None:
        print("py-spy is missing: pip install py-spy", file=sys.stderr)
        return 3
    raise_limits()
    os.sched_setaffinity(0, LOADS)
    gc.disable()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        cell = Cell(stack, options.kind, options.mode)
        stacks = sample(cell, Path(folder) / "stacks")
    print(f"{cell.name}: {sum(stacks.values())} samples")
    show("by itself", shares(stacks, lambda frames: frames[-1:]))
    show("with all that it calls", shares(stacks, set))
    return 0


def sample(cell, file):
    """What was running, outermost first, and how often, while messages were sent or polls answered."""
    load = cell.ask if cell.mode == "shortpoll" else cell.fan_out
    load()
    command = ["py-spy", "record", "-p", str(cell.server.pid), "-d", str(SECONDS), "-r", "500", "-F"]
    spy = subprocess.Popen([*command, "-f", "raw", "-o", file], stdout=subprocess.DEVNULL)
    while spy.poll() is None:
        load()
    found = Counter()
    for line in file.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        if not any(place in frames for place in WAITING):
            found[tuple(frames.split(";"))] += int(count)
    return found


def shares(stacks, chosen):
    """In what share of the samples each function was one of the chosen frames."""
    counts = Counter()
    for frames, count in stacks.items():
        for frame in chosen(frames):
            counts[frame] += count
    return {frame: count / sum(stacks.values()) for frame, count in counts.most_common(TOP)}


def show(title, found):
    """Print a list of functions."""
    print(f"\n{title}")
    for frame, share in found.items():
        print(f"{share:6.1%}  {frame}")


if __name__ == "__main__":
    sys.exit(main())
