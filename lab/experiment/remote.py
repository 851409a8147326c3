"""The measuring process's side of the listeners at one worker: it exchanges lines as with a child process.

Every moment in a report is changed from the worker's clock to this machine's. When the worker ends in the
middle of a run, what its listeners had reported until then takes the place of their last report.
"""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from lab.child import RunFailed
from lab.errors import CannotStart
from lab.experiment.channel import Ended, Lines
from lab.experiment.clocks import Difference, RoundTrip, difference
from lab.json_types import JsonObject

ROUND_TRIPS = 50
ANSWER_S = 20.0
"""Longest wait for an answer; a process on a busy machine may need seconds to begin."""
SILENCE_S = 30.0
"""Listeners report five times a second; a worker that is silent for longer is lost."""
MOMENT = ("t_s", "cpu_s")


class Remote:
    """The process of listeners at one worker, as a `lab.experiment.simulated.ClientProcess`."""

    def __init__(self, worker: str, lines: Lines) -> None:
        self.worker = worker
        """Its address in the cluster."""
        self.lines = lines
        self.clients = 0
        self.difference = Difference()
        """Its clock minus ours, during the run."""
        self.ended: str | None = None
        """One sentence, when it has ended in the middle of a run."""
        self.same_machine: list[float] = []
        """Seconds from send to arrival of messages that it sent itself."""
        self._compared_at = 0.0
        self._moment: JsonObject = {}
        """The last report of its processor time."""
        self._reports: list[bytes] = []
        self._last: list[JsonObject] = []
        self._all_there = False

    async def begin(self) -> None:
        """Compare the clocks before its listeners start. Raises `CannotStart`."""
        try:
            self.difference = await self.compare_clocks()
        except Ended as error:
            raise CannotStart(f"Worker {self.worker} ended before it was used: {error}.") from error

    async def compare_clocks(self) -> Difference:
        """The difference of both clocks, by the shortest of many round trips. Raises `Ended`."""
        trips = [await self._round_trip() for _ in range(ROUND_TRIPS)]
        self._compared_at = time.monotonic()
        return difference(trips)

    async def _round_trip(self) -> RoundTrip:
        sent = time.monotonic()
        self.lines.send({"clock": True})
        answer = await self.lines.receive(ANSWER_S)
        came = time.monotonic()
        return RoundTrip(sent, json.loads(answer)["clock_s"], came)

    def listen(self, plan: JsonObject) -> None:
        """Start its listeners."""
        self.clients = plan["clients"]
        self.send({"listen": plan})

    def send(self, orders: JsonObject) -> None:
        """Send one line; nothing when it has ended."""
        if self.ended is None:
            self.lines.send(orders)

    async def receive(self) -> JsonObject:
        """Its next report. Raises `RunFailed` when it ends before all its listeners were connected."""
        if self._last:
            return self._last.pop(0)
        try:
            return await self._report()
        except Ended as error:
            self._end(str(error))
            return self._last.pop(0)

    async def _report(self) -> JsonObject:
        while (line := await self.lines.receive(SILENCE_S)).startswith(b'{"arrived"'):
            self._reports.append(line)  # read only if there is no last report
        report: JsonObject = json.loads(line)
        if "error" in report:
            raise RunFailed(f"Worker {self.worker}: {report['error']}")
        self._all_there |= report.get("there", 0) >= self.clients
        if "all_received" in report:
            self.difference = self.difference.with_later(await self.compare_clocks())
        report = by_our_clock(report, self.difference.ours)
        self._moment |= {name: report[name] for name in MOMENT if name in report}
        return report

    def _end(self, reason: str) -> None:
        """Note that it has ended, and prepare what it would have reported."""
        if not self._all_there:
            raise RunFailed(f"Worker {self.worker} ended before its listeners were connected: {reason}.")
        self.ended = f"Worker {self.worker} ended early: {reason}. What its listeners had received counts."
        now = time.monotonic()
        self.difference = self.difference.after(now - self._compared_at)
        outcome = by_our_clock(collected(self._reports, self.clients), self.difference.ours)
        self._last = [self._moment | {"heard_out": True}, outcome]

    async def measure_same_machine(self, plan: JsonObject) -> None:
        """Let it publish messages and receive them itself, after its listeners have ended."""
        if self.ended is None:
            self.lines.send({"same_machine": plan})
            self.same_machine = json.loads(await self.lines.receive(SILENCE_S))["same_machine_s"]


def collected(reports: Iterable[bytes], clients: int) -> JsonObject:
    """The last report of listeners that have ended, from all that they reported before."""
    received: list[list[Any]] = [[] for _ in range(clients)]
    events: list[JsonObject] = []
    for line in reports:
        report = json.loads(line)
        events += report["new_events"]
        for number, arrivals in report["arrived"]:
            received[number] += arrivals
    return {"all_received": received, "events": events, "away": {}, "ended": True}


def by_our_clock(report: JsonObject, ours: Callable[[float], float]) -> JsonObject:
    """A report with every moment by the clock of this machine."""
    changed: JsonObject = {"t_s": ours(report["t_s"])} if "t_s" in report else {}
    if "all_received" in report:
        changed["all_received"] = [
            [(which, ours(moment)) for which, moment in received] for received in report["all_received"]
        ]
    return report | changed
