"""A lab that writes down what it holds: `python -m tests.faults.observed FILE python run_lab.py OPTIONS`.

Every half minute, and on SIGUSR1, one line of JSON: the memory as the system, the allocator and Python count
it, and the length of every container that can be reached from the lab. On SIGUSR2 the cycle collector runs,
and then the allocator gives back what it can. Linux with glibc only.
"""

import asyncio
import ctypes
import gc
import json
import os
import re
import runpy
import signal
import sys
import time
from collections import Counter, deque
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from lab.server import classroom

EVERY_S = 30.0
NAME = "that observes the lab"
LIBC = ctypes.CDLL(None)
CONTAINERS = (dict, list, set, tuple, deque)
CACHE = type(cache(len))
PLAIN = (bytes, str, bytearray, memoryview)
MAPPED = ("Rss", "Pss", "Private_Dirty", "Anonymous")
ARENAS = {
    "arenas": rb"# arenas allocated current *= *([\d,]+)",
    "used": rb"# bytes in allocated blocks *= *([\d,]+)",
    "available": rb"# bytes in available blocks *= *([\d,]+)",
    "unused": rb"(?:\d+) unused pools \* \d+ bytes *= *([\d,]+)",
}
"""What Python says of its own allocator: arenas of 1 MiB, and bytes in them."""


MALLINFO = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)


class Mallinfo(ctypes.Structure):
    """The counts of glibc's allocator (mallinfo2(3))."""

    _fields_ = [(name, ctypes.c_size_t) for name in MALLINFO]


def allocator():
    """Bytes of glibc's heaps, in large blocks of their own, in use, and free."""
    if not hasattr(LIBC, "mallinfo2"):
        return {}
    LIBC.mallinfo2.restype = Mallinfo
    found = LIBC.mallinfo2()
    return {name: getattr(found, name) for name in ("arena", "hblkhd", "uordblks", "fordblks", "keepcost")}


def mapped():
    """Bytes of the process as the system counts them."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return {name.lower(): 1024 * int(re.search(rf"{name}: *(\d+)", text)[1]) for name in MAPPED}


def arenas():
    """What Python's own allocator says, which it can only print."""
    usual, file = os.dup(2), os.memfd_create("arenas")
    os.dup2(file, 2)
    sys._debugmallocstats()
    os.dup2(usual, 2)
    text = os.pread(file, 100_000, 0)
    os.close(usual)
    os.close(file)
    found = {name: re.search(pattern, text) for name, pattern in ARENAS.items()}
    return {name: int(match[1].replace(b",", b"")) for name, match in found.items() if match}


def children(owner):
    """What an object of the lab refers to, with the name of each attribute."""
    names = {name for kind in type(owner).__mro__ for name in slots_of(kind)}
    found = {name: getattr(owner, name, None) for name in names}
    return found | getattr(owner, "__dict__", {})


def slots_of(kind):
    """The names of a class's slots."""
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


def is_ours(value):
    """Whether a value is an object of the lab."""
    return type(value).__module__.split(".")[0] == "lab" and not isinstance(value, type)


def containers(root):
    """For every attribute of the lab's objects: how many entries its containers have, and bytes of text."""
    entries, sizes, seen, waiting = Counter(), Counter(), set(), [(type(root).__name__, root)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, PLAIN):
            sizes[name] += sys.getsizeof(value)
        if id(value) in seen or isinstance(value, (*PLAIN, int, float, type(None))):
            continue
        seen.add(id(value))
        if is_ours(value):
            waiting += [(f"{type(value).__name__}.{key}", each) for key, each in children(value).items()]
        elif isinstance(value, CONTAINERS):
            entries[name] += len(value)
            waiting += [(name, each) for each in value]
            waiting += [(name, each) for each in value.values()] if isinstance(value, dict) else []
        elif hasattr(value, "__len__") and hasattr(value, "itemsize"):
            entries[name] += len(value)
    return entries, sizes


def caches():
    """How full every cache of a function is."""
    kept = [each for each in gc.get_objects() if type(each) is CACHE]
    return {f"{each.__module__}.{each.__qualname__}": each.cache_info().currsize for each in kept}


def look(running):
    """Everything at this moment."""
    loop = asyncio.get_running_loop()
    memory = mapped()
    entries, sizes = containers(running)
    return {
        "t": time.monotonic(),
        "cpu_s": time.process_time(),
        "memory": memory,
        "malloc": allocator(),
        "python": arenas(),
        "blocks": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
        "collections": [each["collections"] for each in gc.get_stats()],
        "tasks": len(asyncio.all_tasks()),
        "timers": len(loop._scheduled),
        "entries": {name: count for name, count in sorted(entries.items()) if count},
        "bytes": {name: size for name, size in sorted(sizes.items()) if size > 1000},
        "caches": {name: count for name, count in sorted(caches().items()) if count},
    }


def write(path, running, why=""):
    """Add one line."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(look(running) | {"why": why}) + "\n")


def trim(path, running):
    """Let the allocator give back what it can; one line before and one behind."""
    gc.collect()
    write(path, running, "collected")
    LIBC.malloc_trim(0)
    write(path, running, "trimmed")


def observe(path):
    """Let every lab that opens in this process be observed."""
    plain = classroom.running

    @asynccontextmanager
    async def observed(*arguments):
        async with plain(*arguments) as running:
            start(path, running)
            yield running

    classroom.running = observed


def start(path, running):
    """Write a line now and then, and when a signal asks for it."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, write, path, running, "asked")
    loop.add_signal_handler(signal.SIGUSR2, trim, path, running)

    async def turn():
        write(path, running)
        await asyncio.sleep(EVERY_S)

    running.context.room.tasks.keep(NAME, turn)


def main():
    """Become the command behind the file, observed."""
    path, _, program, *arguments = sys.argv[1:]
    observe(path)
    sys.argv = [program, *arguments]
    sys.path.insert(0, os.getcwd())
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
