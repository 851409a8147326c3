"""A private proxy: found, its configuration checked, started on a port of the loopback, ended by its id.

It runs in a temporary folder of its own, as this user; on Linux it ends also when the process that started it
is killed. What is different for each program is in its own file.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from lab.errors import CannotStart
from lab.json_types import JsonObject
from lab.proxy.lines import Line
from lab.proxy.nginx_conf import HOST, text_of
from lab.proxy.switches import Switches
from lab.signals import like_ctrl_c
from lab.subprocesses import ends_with_this, wait_or_kill

PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
START_PATIENCE_S = 10.0
STOP_PATIENCE_S = 5.0
TRIES = 3
"""Another program may take the free port before the proxy has it."""
OUTPUT = "output.log"
SILENT = "it ended without a message"
SITES = {
    "nginx": "https://nginx.org/en/download.html",
    "haproxy": "https://www.haproxy.org",
    "caddy": "https://caddyserver.com/docs/install",
}
"""Where a program is, for systems without a package that we know."""


class PrivateProxy:
    """A running proxy in front of labs at these `host:port`. Use it in `with`; raises `CannotStart`.

    Without a `port` it takes a free one. A subclass has its name, the name of its configuration, and the
    methods that say how it is called.
    """

    name: ClassVar[str]
    conf: ClassVar[str]

    def __init__(self, switches: Switches, labs: Sequence[str], port: int = 0) -> None:
        self.switches = switches
        self.labs = labs
        self._program = find(self.name)
        self.version = f"{self.name}/{self.version_in(self._output_of(*self.version_command()))}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"pushlab-{self.name}-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.port = self._wanted = port
        self.lines: list[Line] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What each program has of its own -------------------------------------------------------------

    def configuration(self) -> list[Line]:
        """The lines of its configuration."""
        raise NotImplementedError

    def version_command(self) -> list[str]:
        """The arguments with which it prints its version."""
        raise NotImplementedError

    def version_in(self, text: str) -> str:
        """The version in what it prints."""
        raise NotImplementedError

    def check_command(self) -> list[str]:
        """The arguments with which it reads its configuration and says whether it is right."""
        raise NotImplementedError

    def run_command(self) -> list[str]:
        """The arguments with which it runs in the foreground."""
        raise NotImplementedError

    def answers(self) -> list[JsonObject]:
        """The access log: one object for each request that has ended."""
        raise NotImplementedError

    # What all have --------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://{HOST}:{self.port}"

    def close(self) -> None:
        """End it, and delete its folder."""
        if self.process is not None:
            self.process.terminate()
            wait_or_kill(self.process, STOP_PATIENCE_S)
        self.clear()

    def clear(self) -> None:
        """Delete its folder, once it has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self, name: str) -> list[str]:
        """The complete lines of a log in its folder."""
        with suppress(FileNotFoundError):
            text = (self.folder / name).read_text(encoding="utf-8", errors="replace")
            return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return []

    def environment(self) -> dict[str, str]:
        """The environment of the program, which keeps all its files in its folder."""
        places = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
        return os.environ | dict.fromkeys(places, str(self.folder))

    def _start(self) -> None:
        for tries_left in reversed(range(TRIES)):
            self.port = self._wanted or free_port()
            self.write()
            with open(self.folder / OUTPUT, "wb") as output:
                self.process = subprocess.Popen(
                    [self._program, *self.run_command()],
                    cwd=self.folder,
                    env=self.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=ends_with_this(),
                )
            if self.listens():
                return
            if not tries_left:
                raise CannotStart(f"{self.name} does not start: {self.last_words().rstrip('.')}.")

    def write(self) -> None:
        """Write its configuration, and let it read that. Raises `CannotStart` with its reason."""
        self.lines = self.configuration()
        (self.folder / self.conf).write_text(text_of(self.lines), encoding="utf-8")
        done = self._run(*self.check_command())
        if done.returncode:
            why = self.reason_in(done.stderr or done.stdout or "no reason").rstrip(".")
            raise CannotStart(f"{self.name} does not accept its configuration: {why}.")

    def _run(self, *arguments: str, inside: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the program to its end, `inside` its folder once it has one."""
        place = self.folder if inside else None
        try:
            return subprocess.run(
                [self._program, *arguments],
                capture_output=True,
                text=True,
                check=False,
                cwd=place,
                env=self.environment() if inside else None,
            )
        except OSError as error:
            raise CannotStart(f"{self._program} cannot be run: {error.strerror or error}.") from error

    def _output_of(self, *arguments: str) -> str:
        done = self._run(*arguments, inside=False)
        return done.stdout or done.stderr

    def reason_in(self, text: str) -> str:
        """Why it does not accept its configuration, in what it prints: the last line."""
        return text.strip().splitlines()[-1].removeprefix("Error: ")

    def listens(self) -> bool:
        """Wait until its port accepts a connection; whether it does."""
        until = time.monotonic() + START_PATIENCE_S
        while self.process is not None and self.process.poll() is None and time.monotonic() < until:
            with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
                return True
            time.sleep(0.01)  # the only way to learn that another process has bound its port
        return False

    def last_words(self) -> str:
        """What it has said before it ended."""
        lines = self.log(OUTPUT)
        return lines[-1].strip() if lines else SILENT


def find(name: str) -> str:
    """The program of this name. Raises `CannotStart`, with the line that installs it."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *PLACES])
    if found := shutil.which(name, path=path):
        return found
    raise CannotStart(f"{name} is not installed. To install it: {_installs(name)}")


def _installs(name: str) -> str:
    if shutil.which("apt-get"):
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        return f"{'' if root else 'sudo '}apt-get install {name}"
    return f"brew install {name}" if shutil.which("brew") else f"see {SITES[name]}"


def free_port() -> int:
    """A port of the loopback that no program has at this moment."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


def serve(kind: type[PrivateProxy], switches: Switches, labs: Sequence[str]) -> int:
    """Run a proxy until standard input ends, or a signal; print its address. Returns the exit code."""
    try:
        with like_ctrl_c(), suppress(KeyboardInterrupt), kind(switches, labs) as running:
            print(json.dumps({"port": running.port, "version": running.version}), flush=True)
            sys.stdin.buffer.read()
    except CannotStart as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 3
    return 0
