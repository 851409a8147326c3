"""Trials of a proxy for the page `/proxy`: labs of its own, an nginx before them, one trial at a time.

`python -m lab.experiment.trials` reads an order a line: `{"redis", "proxy", "hold", "heartbeat", "labs"}`. It
prints lines of JSON: `started` with the lines of nginx.conf, a `step` with the results so far until that is
`done`, or an `error`; then the nginx and the labs of the order before go on. It ends when its standard input
does, and so do nginx and labs. `python -m lab.experiment.trials FILE` records the trials of all lessons.
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
from lab.experiment.probe import Probe, subtract
from lab.experiment.trial import silence_of, trial
from lab.json_types import JsonObject
from lab.labs.several import shared_redis
from lab.proxy.lessons import Setup, setups
from lab.proxy.nginx import Nginx
from lab.proxy.switches import parse

UNLIMITED = {"rate": 0, "per_address": 0}
Report = Callable[[JsonObject], None]


class Behind:
    """The labs behind the proxy, with a room of their own, which is deleted at their end."""

    def __init__(self, settings: JsonObject, labs: int = 1) -> None:
        self.settings = settings
        self.ports = [0] * labs
        """Their ports, once they have been started."""
        self._stack = AsyncExitStack()
        self._labs: list[OwnLab] = []
        self.ending: asyncio.Future[list[None]] | None = None

    async def start(self) -> "Behind":
        """Start them, at the ports that they had before if they had any. Raises `CannotStart`."""
        enter, settings = self._stack.enter_async_context, self.settings
        if len(self.ports) > 1:
            shared = await enter(shared_redis(settings["redis"], settings["room"]))
            settings = settings | {"redis": shared["url"]}
        self._labs = [await enter(own_lab(settings | {"port": port})) for port in self.ports]
        self.ports = [int(place.rpartition(":")[2]) for place in self.places]
        return self

    def is_as(self, wanted: JsonObject, labs: int) -> bool:
        """Whether they have these settings, and are so many."""
        return len(self.ports) == labs and all(self.settings[name] == value for name, value in wanted.items())

    @property
    def urls(self) -> list[str]:
        """Their URLs."""
        return [lab.url for lab in self._labs]

    @property
    def places(self) -> list[str]:
        """Their `host:port`, as nginx has them."""
        return [urlsplit(url).netloc for url in self.urls]

    async def release(self) -> None:
        """Let them end their responses; they close while this goes on."""
        self.ending = asyncio.gather(*(lab.end() for lab in self._labs))

    async def restart(self) -> None:
        """Start them again after a release."""
        if self.ending is not None:
            await self.close()
            self.ending, self._stack = None, AsyncExitStack()
            await self.start()

    async def close(self) -> None:
        """End them."""
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

        await trial(self.behind.urls[0], self.nginx.url, silence_s, self.behind.release, step)
        await self.behind.restart()

    async def close(self) -> None:
        """End nginx and the lab."""
        if self.nginx is not None:
            self.nginx.close()
        if self.behind is not None:
            await self.behind.close()

    async def set_up(self, setup: Setup, redis: str | None) -> None:
        """Start labs if what is wanted has changed, and this proxy before them. Raises `CannotStart`."""
        wanted: JsonObject = {"hold": setup.hold, "heartbeat": setup.heartbeat, "redis": redis}
        old, behind = self.behind, self.behind
        if behind is None or not behind.is_as(wanted, setup.labs):
            more = {"room": f"run-{secrets.token_hex(6)}", "limits": UNLIMITED}
            behind = await Behind(wanted | more, setup.labs).start()
        try:
            nginx = Nginx(setup.switches, behind.places)
        except BaseException:
            if behind is not old:
                await behind.close()
            raise
        if self.nginx is not None:
            self.nginx.close()
        self.nginx, self.behind = nginx, behind
        if old is not None and behind is not old:
            await old.close()

    async def _meters(self) -> list[JsonObject]:
        """The meters of the techniques, at each lab."""
        assert self.behind is not None
        first, *others = self.behind.urls
        async with Probe(first, others=others) as probe:
            return [(await probe.get("/meters", url))["techniques"] for url in self.behind.urls]

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


def costs(before: list[JsonObject], after: list[JsonObject]) -> dict[str, JsonObject]:
    """For each technique the requests that the labs have received, and on how many connections.

    Of several labs also the requests of each.
    """
    found: dict[str, JsonObject] = {}
    for mode in after[0]:
        each = [
            subtract(now[mode]["receive"], then[mode]["receive"])
            for now, then in zip(after, before, strict=True)
        ]
        found[mode] = {name: sum(one[name] for one in each) for name in ("requests", "connections")}
        if len(each) > 1:
            found[mode]["labs"] = [one["requests"] for one in each]
    return found


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
            setup = Setup(parse(order["proxy"]), order["hold"], order["heartbeat"], order["labs"])
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
