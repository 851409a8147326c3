"""The start of a run: the meters before it, and the wait until every listener is connected."""

import asyncio
import time
from dataclasses import dataclass, field

from lab.catalogue import TECHNIQUES
from lab.child import RunFailed
from lab.experiment.conditions import Conditions
from lab.experiment.probe import Probe, difference, subtract
from lab.experiment.simulated import Clients
from lab.json_types import JsonObject

READY_PATIENCE_S = 60.0
HEAD_START_S = 0.2
"""Between the last listener's connection and the timetable's zero."""


@dataclass
class MeterSnapshots:
    """Meters of a run: before the first client, when all are connected, at zero, and when all has arrived."""

    before: JsonObject = field(default_factory=dict)
    ready: JsonObject = field(default_factory=dict)
    zero: JsonObject = field(default_factory=dict)
    after: JsonObject = field(default_factory=dict)

    def counted(self, direction: str) -> JsonObject:
        """The meter of this run: from `before` to `after`, without the pause between `ready` and `zero`."""
        pause = subtract(self.zero[direction], self.ready[direction])
        return subtract(difference(self.after[direction], self.before[direction]), pause)

    def until(self, now: JsonObject) -> JsonObject:
        """What has been counted for receiving up to now."""
        pause = subtract(self.zero["receive"], self.ready["receive"])
        return subtract(difference(now["receive"], self.before["receive"]), pause)

    def each_lab(self) -> list["MeterSnapshots"]:
        """The same of each lab, when they are the sums over several."""
        labs = (moment.get("labs", ()) for moment in self._moments)
        return [MeterSnapshots(*of_one) for of_one in zip(*labs, strict=True)]

    @property
    def segments(self) -> JsonObject | None:
        """The TCP segments of this run, from `before` to `after` without the pause, and their headers."""
        known = [found for moment in self._moments if (found := moment.get("segments"))]
        if len(known) < len(self._moments):
            return None
        before, ready, zero, after = known
        return {name: after[name] - zero[name] + ready[name] - before[name] for name in after}

    @property
    def _moments(self) -> tuple[JsonObject, ...]:
        return self.before, self.ready, self.zero, self.after

    @property
    def cpu_s(self) -> float:
        """Processor time of the server from the timetable's zero on."""
        spent: float = self.after["cpu_s"] - self.zero["cpu_s"]
        return spent


async def listening(
    probe: Probe,
    mode: str,
    snapshots: MeterSnapshots,
    conditions: Conditions,
    stop: asyncio.Event,
    clients: Clients | None = None,
) -> None:
    """Wait until the server has a connection of every listener, and a short time more.

    Raises `NotConnected` when some cannot connect.
    """
    until = time.monotonic() + READY_PATIENCE_S + conditions.interval
    snapshots.ready = snapshots.zero = await probe.snapshot(mode)
    earlier = snapshots.before
    there = _all_asked if conditions.proxy else _all_there
    while not stop.is_set() and not there(mode, snapshots, earlier, conditions.clients, clients):
        if time.monotonic() > until:
            raise RunFailed(f"Not all {conditions.clients} listeners could connect; try fewer.")
        await asyncio.sleep(0.05)
        earlier, snapshots.ready = snapshots.ready, await probe.snapshot(mode)
    await asyncio.sleep(HEAD_START_S)
    snapshots.zero = await probe.snapshot(mode)


def _all_there(
    mode: str, snapshots: MeterSnapshots, earlier: JsonObject, number: int, clients: Clients | None
) -> bool:
    """Whether all are connected and the meters are at rest: a stream's response begins after its request.

    Short pollers are never at rest, because they go on asking.
    """
    came = subtract(snapshots.ready["receive"], snapshots.before["receive"])["connections"] >= number
    came = (clients is None or clients.all_there) and came
    return came and (TECHNIQUES[mode].verb == "ask" or snapshots.ready["receive"] == earlier["receive"])


def _all_asked(
    mode: str, snapshots: MeterSnapshots, earlier: JsonObject, number: int, clients: Clients | None
) -> bool:
    """Whether a request of every listener has come through the proxy, which may share and cut connections."""
    return bool(subtract(earlier["receive"], snapshots.before["receive"])["requests"] >= number)
