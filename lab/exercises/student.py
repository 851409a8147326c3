"""The student's program: a process of its own, which may do everything wrong and leaves nothing running.

It finds its port in `PORT`, Redis in `REDIS_URL` and the prefix of its keys in `KEY_PREFIX`. Its group of
processes is ended by its id, and on Linux so is everything that has left the group.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from lab.exercises import proc
from lab.exercises.limits import Limits
from lab.exercises.mismatch import Mismatch, Said
from lab.exercises.printed import Printed, own_lines
from lab.signals import like_ctrl_c
from lab.subprocesses import environment

HOST = "127.0.0.1"
NOT_EPHEMERAL = range(11_000, 32_768)
"""Ports below those that Linux, macOS and Windows give for port 0."""
LOOK_S = 0.03
"""Seconds between two attempts to connect."""
STARVED = 4
"""So much longer a program may need to listen while it is the machine that keeps it waiting."""
SAMPLES = 4
"""So often a program must be found running to be busy; one that responds is found waiting."""
LIMITED = 'ulimit -v "$1" 2>/dev/null; ulimit -t "$2" 2>/dev/null; ulimit -c 0; shift 2; exec "$@"'
"""Sets the limits, and becomes the program (POSIX: ulimit)."""
REDIS_URL = "redis://127.0.0.1:6379/0"


def free_port() -> int:
    """A port that is free now, and that the system gives to no connection for its own end.

    Otherwise an attempt to connect could get this very port, and be connected to itself.
    """
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, secrets.choice(NOT_EPHEMERAL)))
            return int(probe.getsockname()[1])


class Student:
    """One run of the student's program."""

    def __init__(self, path: Path, limits: Limits, settings: dict[str, str]) -> None:
        self.path, self.limits = path, limits
        self.port = free_port()
        self.started = time.monotonic()
        self.mark = f"PUSHLAB_EXERCISE={secrets.token_hex(16)}"
        self.process = self._start(settings)
        assert self.process.stdout and self.process.stderr
        self.stdout, self.stderr = Printed(self.process.stdout), Printed(self.process.stderr)

    def _start(self, settings: dict[str, str]) -> subprocess.Popen[bytes]:
        given: dict[str, str] = {"REDIS_URL": os.environ.get("REDIS_URL", REDIS_URL), "PYTHONUNBUFFERED": "1"}
        given |= {"PORT": str(self.port), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
        given |= {"KEY_PREFIX": f"exercise:{secrets.token_hex(8)}:"}
        name, _, value = self.mark.partition("=")
        command = [sys.executable, "-P", str(self.path)]
        if os.name == "posix":
            most = [str(self.limits.memory_bytes // 1024), str(self.limits.cpu_s)]
            command = ["sh", "-c", LIMITED, "sh", *most, *command]
        with like_ctrl_c():  # a signal that is ignored here would be ignored there too
            return subprocess.Popen(
                command,
                env=environment() | given | settings | {name: value},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a group of its own, which can be ended as one
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code of the program; None while it runs."""
        return self.process.poll()

    @property
    def printed_bytes(self) -> int:
        """Bytes that it has printed, on both streams."""
        return self.stdout.size + self.stderr.size

    def connect(self, patience_s: float) -> socket.socket:
        """A connection to the program, as soon as it listens. Raises `Mismatch`.

        Nothing else connects: a server that a student wrote by hand would have to survive it.
        """
        while True:
            with suppress(OSError):
                return socket.create_connection((HOST, self.port), timeout=patience_s)
            if not self._may_still_listen():
                raise Mismatch("silent_port", port=self.port, seconds=f"{self.limits.listen_s:g}")
            time.sleep(LOOK_S)

    def _may_still_listen(self) -> bool:
        if self.exit_code is not None or self.printed_bytes > self.limits.output_bytes:
            return False
        since, patience = time.monotonic() - self.started, self.limits.listen_s
        starved = proc.runs(self.process.pid) and proc.cpu_s(self.process.pid) < patience / 2
        return since < patience * (STARVED if starved else 1)

    def trouble(self) -> Said | None:
        """What the program itself did wrong: one sentence, or None."""
        if self.printed_bytes > self.limits.output_bytes:
            return Said("flood", {"size": self.limits.output_bytes // 1000})
        if self.exit_code is not None:
            return self._why_it_ended()
        pid = self.process.pid
        if (others := proc.ports(pid)) and self.port not in others:
            return Said("other_port", {"found": min(others), "port": self.port})
        if self._is_busy():
            return Said("busy", {"seconds": f"{proc.cpu_s(pid):.1f}"})
        return None

    def _is_busy(self) -> bool:
        """Whether it uses its CPU all the time, instead of waiting for its sockets."""
        for _ in range(SAMPLES):
            if not proc.runs(self.process.pid):
                return False
            time.sleep(LOOK_S)
        return True

    def _why_it_ended(self) -> Said:
        text = self.stderr.text(wait_s=1.0)
        if "MemoryError" in text:
            return Said("memory", {"size": self.limits.memory_bytes >> 20})
        if "EOFError" in text:
            return Said("stdin")
        if hasattr(signal, "SIGXCPU") and self.exit_code == -signal.SIGXCPU:
            return Said("cpu", {"seconds": self.limits.cpu_s})
        return Said("ended", {"code": self.exit_code})

    def own_lines(self) -> list[str]:
        """The student's own lines of the last traceback, and its error."""
        return own_lines(self.stderr.text(wait_s=0.05), self.path)

    def errors(self) -> str:
        """All that it wrote on standard error, as far as it was kept."""
        return self.stderr.text(wait_s=0.1)

    @property
    def memory_bytes(self) -> int:
        """The memory that it uses now; 0 where that is not known."""
        return proc.memory_bytes(self.process.pid)

    def interrupt(self) -> None:
        """Press Ctrl-C. On Windows, where a program cannot do that to another, end it."""
        self.process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)

    def end(self) -> None:
        """End the program and all that it has started, by their ids."""
        if self.exit_code is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(self.limits.end_s)
        if os.name == "posix":
            # What it has started may still be in its group; the mark tells the group from another's.
            self._kill_the_rest()
        if self.exit_code is None:
            self.process.kill()
        self.process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self.process.pid, number)
            else:
                self.process.terminate()

    def _kill_the_rest(self) -> None:
        """Kill the group while its leader still has its id, and then what has left the group."""
        if self.exit_code is None or not proc.PROC.is_dir():
            self._signal(signal.SIGKILL)
        for _ in range(10):  # a program that forks all the time: a few rounds, then give up
            if not (left := [pid for pid in proc.carrying(self.mark) if pid != os.getpid()]):
                return
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
