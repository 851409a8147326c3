"""Trials of a proxy for the page `/proxy`: a lab of its own, an nginx before it, one trial at a time.

`python -m lab.experiment.trials` reads one order a line: `{"redis", "proxy", "hold", "heartbeat"}`. For each
it prints lines of JSON: `started` with the lines of nginx.conf, a `step` with the results so far until that
is `done`, or an `error`; then the nginx and the lab of the order before go on. It ends when its standard
input does, and so do nginx and lab. `python -m lab.experiment.trials FILE` records the trials of all lessons.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from lab.clients.link import Refused
from lab.errors import LabError
from lab.experiment.own_lab import OwnLab, own_lab
from lab.experiment.probe import Probe
from lab.experiment.trial import silence_of, trial
from lab.json_types import JsonObject
from lab.proxy.lessons import Setup, setups
from lab.proxy.nginx import Nginx
from lab.proxy.switches import parse

UNLIMITED = {"rate": 0, "per_address": 0}
Report = Callable[[JsonObject], None]


class Behind:
    """The lab behind the proxy, with a room of its own, which is deleted at its end."""

    def __init__(self, settings: JsonObject) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()
        self._lab: OwnLab
        self.ending: asyncio.Future[None] | None = None

    async def start(self) -> "Behind":
        """Start it, at the port that it had before if it had one. Raises `CannotStart`."""
        self._lab = await self._stack.enter_async_context(own_lab(self.settings))
        self.settings = self.settings | {"port": urlsplit(self.url).port}
        return self

    @property
    def url(self) -> str:
        """Its URL."""
        return self._lab.url

    @property
    def place(self) -> str:
        """Its `host:port`."""
        return urlsplit(self.url).netloc

    async def release(self) -> None:
        """Let it end its responses; it closes while this goes on."""
        self.ending = asyncio.ensure_future(self._lab.end())

    async def restart(self) -> None:
        """Start it again after a release."""
        if self.ending is not None:
            await self.close()
            self.ending, self._stack = None, AsyncExitStack()
            await self.start()

    async def close(self) -> None:
        """End it."""
        if self.ending is not None:
            await self.ending
        await self._stack.aclose()


class Trials:
    """One trial after the other. `report` is called with each line."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.behind: Behind | None = None
        """The lab, and the proxy before it; None before the first trial."""
        self.nginx: Nginx | None = None
        self._logs: dict[str, str] = {}
        self._costs: dict[str, JsonObject] = {}

    async def run(self, setup: Setup, redis: str | None) -> None:
        """Set the proxy up and try all techniques. Raises `CannotStart`, and then all is as before."""
        await self.set_up(setup, redis)
        assert self.behind is not None and self.nginx is not None
        silence_s = silence_of(setup.switches)
        started = {"version": self.nginx.version, "url": self.nginx.url, "silence_s": silence_s}
        self.report({"started": started | {"lines": self.nginx.lines}})
        self._logs, self._costs = {}, {}
        before = await self._meters()

        async def step(name: str, results: list[JsonObject]) -> None:
            if results and not self._costs:
                self._costs = costs(before, await self._meters())
            self.report({"step": name, "results": [self._with_evidence(result) for result in results]})

        await trial(self.behind.url, self.nginx.url, silence_s, self.behind.release, step)
        await self.behind.restart()

    async def close(self) -> None:
        """End nginx and the lab."""
        if self.nginx is not None:
            self.nginx.close()
        if self.behind is not None:
            await self.behind.close()

    async def set_up(self, setup: Setup, redis: str | None) -> None:
        """Start a lab if its settings have changed, and this proxy before it. Raises `CannotStart`."""
        wanted: JsonObject = {"hold": setup.hold, "heartbeat": setup.heartbeat, "redis": redis}
        old, behind = self.behind, self.behind
        if behind is None or any(behind.settings[name] != value for name, value in wanted.items()):
            more = {"port": 0, "room": f"run-{secrets.token_hex(6)}", "limits": UNLIMITED}
            behind = await Behind(wanted | more).start()
        try:
            nginx = Nginx(setup.switches, [behind.place])
        except BaseException:
            if behind is not old:
                await behind.close()
            raise
        if self.nginx is not None:
            self.nginx.close()
        self.nginx, self.behind = nginx, behind
        if old is not None and behind is not old:
            await old.close()

    async def _meters(self) -> JsonObject:
        assert self.behind is not None
        async with Probe(self.behind.url) as probe:
            meters: JsonObject = (await probe.get("/meters"))["techniques"]
            return meters

    def _with_evidence(self, result: JsonObject) -> JsonObject:
        mode = result["mode"]
        if mode not in self._logs and (line := self._logged(mode)):
            self._logs[mode] = line
        return result | self._costs[mode] | {"log": self._logs.get(mode)}

    def _logged(self, mode: str) -> str | None:
        """What nginx has logged about a technique: its last error, else its last request."""
        assert self.nginx is not None
        errors = [error for error in self.nginx.complaints() if is_about(error.request or "", mode)]
        if errors:
            return errors[0].text
        ended = [line for line in self.nginx.answers() if is_about(f"GET {line['target']}", mode)]
        return access(ended[-1]) if ended else None


def is_about(request: str, mode: str) -> bool:
    """Whether a request line is that of a technique."""
    _, _, target = request.partition(" ")
    return target.partition(" ")[0].partition("?")[0] == f"/{mode}"


def access(line: JsonObject) -> str:
    """A line of the access log as text."""
    path = line["target"].partition("?")[0]
    return f"{line['method']} {path} {line['status']} {line['seconds']:.3f} s {line['bytes']} B"


def costs(before: JsonObject, after: JsonObject) -> dict[str, JsonObject]:
    """For each technique the requests that the lab has received, and on how many connections."""
    return {
        mode: {
            name: both["receive"][name] - before[mode]["receive"][name]
            for name in ("requests", "connections")
        }
        for mode, both in after.items()
    }


# The process --------------------------------------------------------------------------------------


async def serve(report: Report) -> None:
    """Do what each line of standard input asks for, until it ends or a signal comes."""
    orders: asyncio.Queue[bytes] = asyncio.Queue()
    working = asyncio.create_task(work(orders, report))
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read, args=(loop, orders, working), daemon=True).start()
    with suppress(NotImplementedError):  # not on Windows
        loop.add_signal_handler(signal.SIGTERM, working.cancel)
    with suppress(asyncio.CancelledError):
        await working


async def work(orders: "asyncio.Queue[bytes]", report: Report) -> None:
    """Run the trials that are ordered; at the end close everything."""
    trials = Trials(report)
    try:
        while True:
            order = json.loads(await orders.get())
            setup = Setup(parse(order["proxy"]), order["hold"], order["heartbeat"])
            await tried(trials.run(setup, order["redis"]), report)
    finally:
        await trials.close()


async def tried(run: Awaitable[None], report: Report) -> None:
    """Run a trial; what fails is reported in one sentence."""
    try:
        await run
    except (LabError, Refused, aiohttp.ClientError, OSError) as error:
        report({"error": str(error)})


def _read(
    loop: asyncio.AbstractEventLoop, orders: "asyncio.Queue[bytes]", working: "asyncio.Task[None]"
) -> None:
    """In a thread, because a pipe cannot be awaited on every system."""
    with suppress(RuntimeError):  # the loop has ended first
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(orders.put_nowait, line)
        loop.call_soon_threadsafe(working.cancel)


def to_stdout(line: JsonObject) -> None:
    """Print one line of JSON."""
    try:
        print(json.dumps(line), flush=True)
    except BrokenPipeError:  # the end of standard input ends this process in a moment
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def recorded() -> JsonObject:
    """The version of nginx, the date, and the results of every trial of the lessons."""
    found: JsonObject = {"date": time.strftime("%Y-%m-%d"), "results": {}}
    reports: list[JsonObject] = []
    trials = Trials(reports.append)
    try:
        for setup in setups():
            reports.clear()
            await trials.run(setup, None)
            found["version"] = reports[0]["started"]["version"]
            found["results"][setup.key] = rounded(reports[-1]["results"])
    finally:
        await trials.close()
    return found


def main() -> None:
    """Record into the file that is named, or serve."""
    if not sys.argv[1:]:
        return asyncio.run(serve(to_stdout))
    text = json.dumps(asyncio.run(recorded()), indent=1, ensure_ascii=False)
    Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")


def rounded(value: object) -> object:
    """The same with durations in whole milliseconds."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
