"""A Redis of the tests' own, that may be emptied, frozen, killed and started again."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import redis

from tests import tools
from tests.support.small_disk import SmallDisk
from tests.support.wire import DEADLINE_S, HOST

LOG = "appendonlydir"
GIVEN_TO_NOBODY = range(11_000, 32_768)
"""Ports below those that Linux, macOS and Windows give for port 0; browsers refuse 10080."""


class RedisServer:
    """A Redis on a port of its own; what it holds survives a kill only when it keeps a log.

    The log is on the disk before an answer goes out. With `sync="everysec"` it is not: while the disk is slow
    Redis holds it back, and what it acknowledged meanwhile does not survive a kill. The disk may be small.
    """

    def __init__(
        self,
        log: bool = False,
        *,
        sync: str = "always",
        disk_bytes: int = 0,
        program: str | None = None,
        environment: dict[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self.client = redis.Redis(host=HOST, port=self.port)
        self._folder = tempfile.TemporaryDirectory(prefix="pushlab-test-")
        self.disk = SmallDisk(disk_bytes) if disk_bytes else None
        self.folder = self.disk.folder if self.disk else Path(self._folder.name)
        self._environment = os.environ | (environment or {})
        keep = ["--appendonly", "yes" if log else "no", "--appendfsync", sync, "--save", ""]
        where = ["--port", str(self.port), "--bind", HOST, "--logfile", "log"]
        self._command = [program or tools.find("redis-server"), *keep, *where, *options]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            self._command, cwd=self.folder, env=self._environment, start_new_session=True
        )
        deadline = time.monotonic() + DEADLINE_S
        while not self.answers():
            assert time.monotonic() < deadline, "Redis did not start"
            time.sleep(0.005)

    def answers(self) -> bool:
        """Whether it answers."""
        with suppress(redis.RedisError):
            return self.client.ping()
        return False

    def freeze(self) -> None:
        """Let it hang, as a machine without memory would."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def save_copy(self) -> None:
        """Copy the log as it stands, as a backup would."""
        shutil.copytree(self.folder / LOG, self.folder / "copy")

    def put_back(self) -> None:
        """End it at once, and start it again with the copy for its log."""
        self.kill()
        shutil.rmtree(self.folder / LOG)
        (self.folder / "copy").rename(self.folder / LOG)
        self.start()

    def stop(self) -> None:
        """End it for good."""
        self.kill()
        self.client.close()
        if self.disk:
            self.disk.close()
        self._folder.cleanup()


def free_port() -> int:
    """A port that is free, and that no connection is given for its own end: so it stays free."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, secrets.choice(GIVEN_TO_NOBODY)))
            return probe.getsockname()[1]
