"""A lab in a process of its own, started and ended as its users do it. Knows nothing of HTTP."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HALF_WRITTEN = shutil.ignore_patterns("*.pyc.*")
"""What a copy of the lab leaves out: byte code that another process writes just now, under such a name."""
STOP_S = 10.0
UNLIMITED = {"rate": 0, "per_address": 0}
"""What a test lifts so that one address can play a whole class."""
COMPLAINT = re.compile(r"Traceback|Uncaught|never retrieved|was never awaited|ERROR", re.IGNORECASE)
Limits = dict[str, float] | None
LABS: set["LabProcess"] = set()
"""Every lab whose stderr has not been read to its end."""


class LabProcess:
    """A running lab: its port, its process id, its stderr."""

    folder = ROOT

    def __init__(
        self, environment: dict[str, str] | None = None, folder: Path = ROOT, **settings: object
    ) -> None:
        self.folder = folder
        settings = {"port": 0, "redis": "private", "limits": UNLIMITED} | settings
        self._start([sys.executable, "-m", "lab.server", json.dumps(settings)], environment)
        self.greeting = self._greeting()
        self.port = self.greeting.get("port")

    def _start(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the lab may write
        self._heard = 0
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | (environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,  # Ctrl-C goes to the process that runs this, which then ends the lab
        )
        LABS.add(self)

    def _greeting(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.kill()
            raise AssertionError(f"The lab did not say where it listens. It said: {self.stderr()}")
        return json.loads(line)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def stderr(self) -> str:
        """Everything that the lab has written to stderr."""
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode(errors="replace")

    def complaint(self) -> str:
        """What is new on stderr, if a traceback or an error is in it; otherwise nothing."""
        text = self.stderr()
        fresh, self._heard = text[self._heard :], len(text)
        return fresh if COMPLAINT.search(fresh) else ""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    @contextmanager
    def no_file_left(self) -> Iterator[None]:
        """For the length of the block it can open nothing more. Linux only."""
        import resource  # not on Windows

        usual = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        used = 1 + max(map(int, os.listdir(f"/proc/{self.pid}/fd")))
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (used, usual[1]))
        try:
            yield
        finally:
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, usual)

    def wait(self, seconds: float = STOP_S) -> int:
        """Wait for the end and return the exit code; `TimeoutExpired` when it does not come."""
        return self.process.wait(seconds)

    def stop(self) -> None:
        """Close its standard input and wait until it has ended, if it has not already."""
        self.process.stdin.close()
        try:
            self.wait()
        finally:
            self.kill()

    def kill(self) -> None:
        """End it without ceremony; its private Redis lives on until another lab starts."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def forget(self) -> None:
        """Let go of what it said."""
        self._stderr.close()
        LABS.discard(self)


class OpenLab(LabProcess):
    """A lab as a teacher opens it, on one port and one Redis; its history outlives it."""

    def __init__(
        self, redis: str, port: int, before: Sequence[str] = (), limits: Limits = None, **environment: str
    ):
        chosen = [f"--limit={name}={value}" for name, value in (UNLIMITED | (limits or {})).items()]
        options = ["--no-browser", f"--port={port}", f"--redis={redis}", *chosen]
        self.port = port
        self._start([*before, sys.executable, "run_lab.py", *options], environment)
        self.process.stdout.readline()  # said when it listens
        assert not self.over, self.stderr()

    def stop(self) -> None:
        """End it by SIGTERM and wait, if it has not ended already."""
        self.process.terminate()
        super().stop()
