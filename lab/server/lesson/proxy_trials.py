"""The trials of the page `/proxy`: a real nginx with faults, in front of a lab of its own beside this one.

They run in a process that is started by its name; it ends when this lab does, and nginx with it. Without
nginx the recorded trials are shown. The meters and the room of this lab do not change.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from lab.errors import BadParameter, CannotStart
from lab.folders import PAGES
from lab.json_types import JsonObject
from lab.proxy import private
from lab.proxy.lessons import Setup
from lab.proxy.nginx_conf import configuration
from lab.proxy.switches import Switches
from lab.server.lesson.subprocesses import PIPE, end, module

TRIALS = "lab.experiment.trials"
PLACES, PORT = ("127.0.0.1:8000", "127.0.0.1:8001"), 8080
"""What stands in a configuration that no nginx has read."""
ENDED = "The trials have ended too early."
END_PATIENCE_S = 10.0
"""The lab behind nginx sends its clients a `bye` first."""


@cache
def recorded() -> JsonObject:
    """The recorded trials: the version of nginx, the date, and the results by `Setup.key`."""
    found: JsonObject = json.loads((PAGES / "recorded_proxy.json").read_text(encoding="utf-8"))
    return found


class ProxyTrials:
    """The trials of one lab, which uses this Redis."""

    def __init__(self, redis: str | None) -> None:
        self.redis = redis
        self.on_change: Callable[[], None] = lambda: None
        """Called after each change of the state."""
        self.on_end: Callable[[], None] = lambda: None
        """Called when a trial has ended with a lamp for each technique."""
        self.missing = missing
        self.revision = 0
        self.setup = Setup(Switches())
        self.running = False
        self.found: JsonObject = shown(self.setup)
        """What the last trial has reported so far."""
        self.error: str | None = None
        self.process: asyncio.subprocess.Process | None = None
        self._wanted = self.setup
        self._reading: asyncio.Task[None] | None = None

    async def start(self, setup: Setup) -> None:
        """Begin a trial. Raises `BadParameter` while another one runs."""
        if self.running:
            raise BadParameter("A trial is running; wait until it has ended.")
        self.error = None
        if self.missing() is None:
            await self._order(setup)
        else:
            self.setup, self.found = setup, shown(setup) | replayed(setup)
            self._end_if_done()
        self._changed()

    async def stop(self) -> None:
        """End nginx and the lab behind it."""
        process, self.process = self.process, None
        if process is not None:
            await end(process, END_PATIENCE_S)
        if self._reading is not None:
            await self._reading
        self.running, self._reading = False, None
        self.found = self.found | {"url": None}
        self._changed()

    async def _order(self, setup: Setup) -> None:
        self.running, self._wanted = True, setup  # before the first await: no second trial begins
        if self.process is None:
            try:
                self.process = await module(TRIALS, stdout=PIPE)
            except OSError as error:
                return self._take({"error": f"The trials cannot be started: {error}."})
            self._reading = asyncio.create_task(self._read(self.process))
        order: JsonObject = {"redis": self.redis, "proxy": str(setup.switches)}
        order |= {"hold": setup.hold, "heartbeat": setup.heartbeat, "labs": setup.labs}
        assert self.process.stdin is not None
        with suppress(OSError):  # it has ended, and `_read` notices
            self.process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Take over what it reports, until it ends."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._take(json.loads(line))
        if self.process is process:
            self.process = None
            self._take({"error": ENDED})
            await end(process)

    def _take(self, report: JsonObject) -> None:
        if "started" in report:
            self.setup, self.found = self._wanted, report["started"] | {"step": "connect", "results": []}
        elif "error" in report:
            self.error, self.running = report["error"], False
        else:
            self.found |= report
            self.running = report["step"] != "done"
            self._end_if_done()
        self._changed()

    def _end_if_done(self) -> None:
        if self.found["step"] == "done" and self.found["results"]:
            self.on_end()

    def failed(self) -> list[str]:
        """The techniques whose lamp is not ok."""
        return [result["mode"] for result in self.found["results"] if result["lamp"] != "ok"]

    def _changed(self) -> None:
        self.revision += 1
        self.on_change()

    def as_json(self) -> JsonObject:
        """The state for the page."""
        fields: JsonObject = {"running": self.running, "error": self.error, "install": self.missing()}
        fields |= {"switches": str(self.setup.switches)}
        fields |= {"hold": self.setup.hold, "heartbeat": self.setup.heartbeat, "labs": self.setup.labs}
        fields |= {"revision": self.revision}
        return fields | self.found


def missing() -> str | None:
    """Why there is no nginx, with the line that installs it; None where there is one."""
    try:
        private.find("nginx")
    except CannotStart as error:
        return str(error)
    return None


def shown(setup: Setup) -> JsonObject:
    """The configuration of a proxy that does not run."""
    lines = configuration(setup.switches, PLACES[: setup.labs], PORT)
    return {"lines": lines, "step": None, "results": [], "url": None, "version": None, "date": None}


def replayed(setup: Setup) -> JsonObject:
    """The recorded results of this trial, if it was recorded."""
    found = recorded()
    results = found["results"].get(setup.key, [])
    return {"step": "done", "results": results, "version": found["version"], "date": found["date"]}
