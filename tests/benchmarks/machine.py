"""The machine under a benchmark: its cores, its limits, and what a process on it has used. Linux only."""

import json
import os
import platform
import resource
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = 40_000
"""Sockets that a process of the benchmark would like to have; it takes what it gets."""


def raise_limits():
    """Allow this process and its children as many sockets as the system lets them have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, max(hard, FILES)))
    except (ValueError, OSError):  # only root may go above the hard limit
        soft = min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


BOTH = os.sched_getaffinity(0)
SERVERS, LOADS = {min(BOTH)}, {max(BOTH)}
"""One core for the server and one for the load; the same one when there are no two."""


def cpu_s(pid):
    """Processor time of a process, all its threads, in nanosecond steps."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def resident(pid):
    """Bytes of memory that a process has in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def description():
    """The machine in one line."""
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{model}, {len(BOTH)} cores, {platform.system()} {platform.release()}"


def on_the_servers_core():
    """Bind this process, and what it starts, to the core of the servers."""
    os.sched_setaffinity(0, SERVERS)


def below(pid):
    """The processes that a process has started, and those that they have started."""
    children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [each for child in children for each in (child, *below(child))]


class Server:
    """A server in a process of its own, on the server's core; what it starts itself goes to the other one.

    It prints its ports as JSON in its first line, and ends when its standard input does.
    """

    def __init__(self, *command, quiet=True):
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,  # plain ones complain of clients that disconnect
            preexec_fn=on_the_servers_core,
        )
        self.greeting = json.loads(self.process.stdout.readline())
        for child in below(self.pid):  # the private Redis
            os.sched_setaffinity(child, LOADS)

    @property
    def pid(self):
        """The process id."""
        return self.process.pid

    def rest(self):
        """Wait until it has nothing more to do: all who have connected are served or held."""
        before = 0.0
        while (now := cpu_s(self.pid)) - before > 0.02:
            before = now
            time.sleep(0.2)

    def stop(self):
        """Close its standard input, which ends it."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Stopwatch:
    """What passes between two moments: on the clock, in the server's process and in this one."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        self._from = time.monotonic(), cpu_s(self.pid), time.process_time()
        return self

    def __exit__(self, *_):
        wall, server, own = self._from
        self.wall_s = time.monotonic() - wall
        self.server_s = cpu_s(self.pid) - server
        self.own_s = time.process_time() - own
