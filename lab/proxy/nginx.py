"""A private nginx on a free port of the loopback: its configuration is tested first, its logs are parsed.

`python -m lab.proxy.nginx` reads a plan in JSON as its argument (`{"proxy": "timeout=3s", "labs":
["127.0.0.1:8000"]}`; for users also a `port` and a `site`), prints its address in a line of JSON, and ends
when its standard input does. A line there has other labs: `{"labs": […]}`.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

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
)
from lab.proxy.nginx_log import Complaint, complaints_in
from lab.proxy.private import SILENT, START_PATIENCE_S, PrivateProxy
from lab.proxy.site import Site
from lab.proxy.switches import Switches, parse
from lab.signals import like_ctrl_c

LOOK_S = 0.2
MOST_CONNECTIONS = 65536


class Nginx(PrivateProxy):
    """A running nginx. With a `site` it serves users, with a `certificate` by https."""

    name: ClassVar[str] = "nginx"
    conf: ClassVar[str] = "nginx.conf"

    def __init__(
        self,
        switches: Switches,
        labs: Sequence[str],
        certificate: Certificate | None = None,
        site: Site | None = None,
        port: int = 0,
    ) -> None:
        self.certificate = certificate
        self.site = site
        super().__init__(switches, labs, port)

    @property
    def url(self) -> str:
        """Its URL."""
        return f"{'https' if self.certificate else 'http'}://{HOST}:{self.port}"

    def configuration(self) -> list[Line]:
        """The lines of nginx.conf."""
        return configuration(self.switches, self.labs, self.port, _files(), self.certificate, self.site)

    def version_command(self) -> list[str]:
        """How to ask for the version."""
        return ["-v"]

    def version_in(self, text: str) -> str:
        """As `1.22.1`."""
        return text.partition("nginx/")[2].split()[0]

    def check_command(self) -> list[str]:
        """How to let it read its configuration."""
        return [*self.run_command(), "-t"]

    def run_command(self) -> list[str]:
        """How to run it; the configuration says that it stays in the foreground."""
        return ["-p", f"{self.folder}{os.sep}", "-c", self.conf, "-e", ERROR_LOG]

    def reason_in(self, text: str) -> str:
        """The first error; what follows says only that the test has failed."""
        lines = [line for line in text.splitlines() if "[emerg]" in line] or text.splitlines()
        return lines[0].partition("] ")[2] or lines[0]

    def listens(self) -> bool:
        """Wait until it has opened its port: then it writes its id into a file; whether it did."""
        until = time.monotonic() + START_PATIENCE_S
        while not _written(self.folder / PID):
            if self.process is None or self.process.poll() is not None or time.monotonic() > until:
                return False
            time.sleep(0.005)  # the only way to learn that another process has bound its port
        return True

    def last_words(self) -> str:
        """The last complaint."""
        complaints = self.complaints()
        return complaints[-1].text if complaints else SILENT

    def answers(self) -> list[JsonObject]:
        """The access log: one object for each request that has ended."""
        return [json.loads(line) for line in self.log(ACCESS_LOG)]

    def complaints(self) -> list[Complaint]:
        """The error log."""
        return complaints_in("".join(self.log(ERROR_LOG)))

    def clear(self) -> None:
        """Delete its folder, and end a worker that it could not end, because it was killed."""
        super().clear()
        if self.process is not None and len(self.labs) > 1 and sys.platform != "win32":
            with suppress(OSError):  # usually there is none: they form a group of processes of their own
                os.killpg(self.process.pid, signal.SIGKILL)

    def change(self, labs: Sequence[str]) -> None:
        """Go on with these labs, several before and after; open connections stay until they end.

        Raises `CannotStart`, and goes on as before, when nginx does not accept the new configuration.
        """
        assert self.process is not None
        before, self.labs = self.labs, labs
        try:
            self.write()
        except CannotStart:
            self.labs = before
            self.write()
            raise
        self.process.send_signal(signal.SIGHUP)


def _written(path: Path) -> bool:
    with suppress(OSError):
        return path.stat().st_size > 0
    return False


def _files() -> int:
    """How many files a process may have open, and so nginx connections; what it cannot use is a warning."""
    if sys.platform == "win32":
        return CONNECTIONS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(soft, MOST_CONNECTIONS)


def main() -> int:
    """Run nginx until standard input ends, or a signal. Returns the exit code."""
    plan = json.loads(sys.argv[1])
    site = Site(**plan["site"]) if "site" in plan else None
    over = threading.Event()
    chosen = parse(plan["proxy"]), plan["labs"], None, site, plan.get("port", 0)
    try:
        with like_ctrl_c(), suppress(KeyboardInterrupt), Nginx(*chosen) as running:
            _say(port=running.port, version=running.version, conf=str(running.folder / running.conf))
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
