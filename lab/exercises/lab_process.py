"""A real lab for the exercises that need one: a process of its own, which ends with the check."""

import json
import subprocess
from contextlib import suppress

from lab.errors import CannotStart
from lab.subprocesses import command, environment, wait_or_kill

END_S = 10.0


class LabProcess:
    """A lab on a free port, with a private Redis and a room of its own. Raises `CannotStart`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            command("lab.server"),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        settings = {
            "port": 0,
            "redis": "private",
            "room": f"exercise-{self._process.pid}",
            "limits": {"rate": 0},
        }
        self._process.stdin.write(json.dumps(settings).encode() + b"\n")
        self._process.stdin.flush()
        line = json.loads(self._process.stdout.readline() or '{"error": "The lab does not start."}')
        if "error" in line:
            self.end()
            raise CannotStart(line["error"])
        self.port = int(line["port"])

    def end(self) -> None:
        """Close its standard input, which ends it."""
        assert self._process.stdin and self._process.stdout
        with suppress(OSError):
            self._process.stdin.close()
        wait_or_kill(self._process, END_S)
        self._process.stdout.close()
