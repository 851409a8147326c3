"""Machines: network namespaces with addresses of their own, and processes whose clocks are wrong.

They need Linux and root. libfaketime is of no use here: with it the monotonic clock follows the calendar, and
waits until a moment of that clock never end. A time namespace (time_namespaces(7)) shifts both alike.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

NEW_TIME = 0x80
"""CLONE_NEWTIME: processes that are started from now on have another monotonic clock."""
PROGRAMS = ("ip", "nsenter", "unshare")


def reason_against():
    """Why there can be no such machines here; None when there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network and time namespaces need Linux and root"
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        return f"{', '.join(missing)} is missing: apt-get install iproute2 util-linux"
    tried = subprocess.run(
        ["unshare", "--net", "--time", "true"], capture_output=True, text=True, check=False
    )
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else None


class Machine:
    """A network namespace, and the processes in it. Use it as `with`; its end ends them."""

    def __init__(self, address, clock_s=0.0):
        self.address = address
        self.clock_s = clock_s
        """How far the clock of its processes is ahead of the real one."""
        self.processes = []

    def __enter__(self):
        script = "ip link set lo up && echo ready && exec cat"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", script], **pipes)
        assert self.holder.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_):
        for process in [*self.processes, self.holder]:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL) if process is not self.holder else process.kill()
            process.wait()
        self.holder.stdin.close()
        self.holder.stdout.close()

    def start(self, *command, **options):
        """Start a command here, by a shell that is not in the shifted time itself."""
        here = [
            "nsenter",
            f"--net=/proc/{self.holder.pid}/ns/net",
            "sh",
            "-c",
            '"$@"; exit $?',
            "sh",
            *command,
        ]
        shift = self._shift if self.clock_s else None
        process = subprocess.Popen(here, preexec_fn=shift, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def connect(self, other):
        """A wire to another machine: each reaches the address of the other, and no further one."""
        wire = f"w{len(self.processes)}{other.holder.pid}"[:14]
        self.ip("link", "add", wire, "type", "veth", "peer", "name", "w", "netns", str(other.holder.pid))
        for machine, end, peer in ((self, wire, other), (other, "w", self)):
            machine.ip("address", "add", machine.address, "peer", peer.address, "dev", end)
            machine.ip("link", "set", end, "up")

    def ip(self, *words):
        """Run `ip` here."""
        place = f"--net=/proc/{self.holder.pid}/ns/net"
        subprocess.run(["nsenter", place, "ip", *words], check=True, capture_output=True)

    def _shift(self):
        """In a new process: give the processes that it starts a shifted clock."""
        assert ctypes.CDLL(None).unshare(NEW_TIME) == 0
        seconds, nanoseconds = divmod(round(self.clock_s * 1e9), 10**9)
        with open("/proc/self/timens_offsets", "w") as offsets:
            offsets.write(f"monotonic {seconds} {nanoseconds}\nboottime {seconds} {nanoseconds}\n")
