"""A private nginx on a free port of the loopback: its configuration is tested first, its logs are parsed.

It runs in a temporary folder of its own, as this user, and is ended by its id; on Linux also when the process
that started it is killed. `python -m lab.proxy.nginx` reads a plan in JSON as its argument (`{"proxy":
"timeout=3s", "labs": ["127.0.0.1:8000"]}`; for users also a `port` and a `site`), prints its address in a
line of JSON, and ends when its standard input does. A line there has other labs: `{"labs": […]}`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from lab.errors import CannotStart
from lab.json_types import JsonObject
from lab.proxy.lines import Line
from lab.proxy.nginx_conf import (
    ACCESS_LOG,
    CONNECTIONS,
    ERROR_LOG,
    HOST,
    PID,
    Certificate,
    configuration,
    text_of,
)
from lab.proxy.nginx_log import Complaint, complaints_in
from lab.proxy.private import free_port
from lab.proxy.site import Site
from lab.proxy.switches import Switches, parse
from lab.signals import like_ctrl_c
from lab.subprocesses import ends_with_this, wait_or_kill

CONF = "nginx.conf"
PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
"""Where nginx is when it is not on the PATH; Debian does not show /usr/sbin to users."""
START_PATIENCE_S = 10.0
STOP_PATIENCE_S = 5.0
LOOK_S = 0.2
MOST_CONNECTIONS = 65536
TRIES = 3
"""Another program may take the free port before nginx has it."""


def find() -> str:
    """The program nginx. Raises `CannotStart`, with the line that installs it."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *PLACES])
    if found := shutil.which("nginx", path=path):
        return found
    raise CannotStart(f"There is no nginx here. To install it: {_installs()}")


def _installs() -> str:
    if shutil.which("apt-get"):
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        return f"{'' if root else 'sudo '}apt-get install nginx"
    return "brew install nginx" if shutil.which("brew") else "see https://nginx.org/en/download.html"


class Nginx:
    """A running nginx in front of labs at these `host:port`. Use it in `with`; raises `CannotStart`.

    With a `site` it serves users. Without a `port` it takes a free one.
    """

    def __init__(
        self,
        switches: Switches,
        labs: Sequence[str],
        certificate: Certificate | None = None,
        site: Site | None = None,
        port: int = 0,
    ) -> None:
        self.switches = switches
        self.labs = labs
        self.certificate = certificate
        self.site = site
        self._program = find()
        self.version = _version(self._program)
        self.folder = Path(tempfile.mkdtemp(prefix="pushlab-nginx-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.port = self._wanted = port
        self.lines: list[Line] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Nginx":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Its URL."""
        return f"{'https' if self.certificate else 'http'}://{HOST}:{self.port}"

    def answers(self) -> list[JsonObject]:
        """The access log: one object for each request that has ended."""
        lines = self._log(ACCESS_LOG).splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def complaints(self) -> list[Complaint]:
        """The error log."""
        return complaints_in(self._log(ERROR_LOG))

    def close(self) -> None:
        """End it, and delete its folder."""
        if self.process is not None:
            self.process.terminate()
            wait_or_kill(self.process, STOP_PATIENCE_S)
        self.clear()

    def clear(self) -> None:
        """Delete its folder, and end a worker that it could not end, because it was killed."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.process is not None and len(self.labs) > 1 and sys.platform != "win32":
            with suppress(OSError):  # usually there is none: they form a group of processes of their own
                os.killpg(self.process.pid, signal.SIGKILL)

    def _start(self) -> None:
        for tries_left in reversed(range(TRIES)):
            self.port = self._wanted or free_port()
            self._write()
            self._test()
            self.process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=ends_with_this(),
            )
            if self._listens():
                return
            if not tries_left:
                raise CannotStart(f"nginx does not start: {self._last_words()}.")

    def change(self, labs: Sequence[str]) -> None:
        """Go on with these labs, several before and after; open connections stay until they end.

        Raises `CannotStart`, and goes on as before, when nginx does not accept the new configuration.
        """
        assert self.process is not None
        before, self.labs = self.labs, labs
        self._write()
        try:
            self._test()
        except CannotStart:
            self.labs = before
            self._write()
            raise
        self.process.send_signal(signal.SIGHUP)

    def _write(self) -> None:
        self.lines = configuration(self.switches, self.labs, self.port, _files(), self.certificate, self.site)
        (self.folder / CONF).write_text(text_of(self.lines), encoding="utf-8")

    def _command(self, *more: str) -> list[str]:
        folder = f"{self.folder}{os.sep}"
        return [self._program, "-p", folder, "-c", CONF, "-e", ERROR_LOG, *more]

    def _test(self) -> None:
        """Let nginx read its configuration. Raises `CannotStart` with what it does not accept."""
        try:
            done = subprocess.run(self._command("-t"), capture_output=True, text=True, check=False)
        except OSError as error:
            raise CannotStart(f"{self._program} cannot be run: {error.strerror or error}.") from error
        if done.returncode:
            raise CannotStart(f"nginx does not accept its configuration: {_first_line(done.stderr)}.")

    def _listens(self) -> bool:
        """Wait until it has opened its port: then it writes its id into a file."""
        until = time.monotonic() + START_PATIENCE_S
        while not _written(self.folder / PID):
            if self.process is None or self.process.poll() is not None or time.monotonic() > until:
                return False
            time.sleep(0.005)  # the only way to learn that another process has bound its port
        return True

    def _last_words(self) -> str:
        complaints = self.complaints()
        return complaints[-1].text if complaints else "it has ended without a reason"

    def _log(self, name: str) -> str:
        with suppress(FileNotFoundError):
            return (self.folder / name).read_text(encoding="utf-8", errors="replace")
        return ""


def _written(path: Path) -> bool:
    with suppress(OSError):
        return path.stat().st_size > 0
    return False


def _version(program: str) -> str:
    """What it calls itself, as `nginx/1.22.1`. Raises `CannotStart`."""
    try:
        done = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotStart(f"{program} cannot be run: {error.strerror or error}.") from error
    return done.stderr.strip().rpartition(" ")[2]


def _files() -> int:
    """How many files a process may have open, and so nginx connections; what it cannot use is a warning."""
    if sys.platform == "win32":
        return CONNECTIONS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(soft, MOST_CONNECTIONS)


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if "[emerg]" in line] or text.splitlines() or ["no reason"]
    return lines[0].partition("] ")[2] or lines[0]


def main() -> int:
    """Run nginx until standard input ends, or a signal. Returns the exit code."""
    plan = json.loads(sys.argv[1])
    site = Site(**plan["site"]) if "site" in plan else None
    over = threading.Event()
    chosen = parse(plan["proxy"]), plan["labs"], None, site, plan.get("port", 0)
    try:
        with like_ctrl_c(), suppress(KeyboardInterrupt), Nginx(*chosen) as running:
            _say(port=running.port, version=running.version, conf=str(running.folder / CONF))
            threading.Thread(target=_end_with, args=(running, over), daemon=True).start()
            try:
                for line in sys.stdin.buffer:
                    _changed(running, json.loads(line)["labs"])
            finally:
                over.set()
    except CannotStart as error:
        _say(error=str(error))
        return 3
    return 0


def _changed(running: Nginx, labs: list[str]) -> None:
    try:
        running.change(labs)
        _say(labs=labs)
    except CannotStart as error:
        _say(error=str(error))


def _end_with(running: Nginx, over: threading.Event) -> None:
    """End this process when nginx ends first: killed, or by an error."""
    assert running.process is not None
    while not over.wait(LOOK_S):  # not `process.wait`, which would keep `close` from waiting
        if running.process.poll() is not None:
            running.clear()
            os._exit(1)  # the main thread reads standard input


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    sys.exit(main())
