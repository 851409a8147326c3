"""Whether this computer is the bottleneck: the lag of the event loop and the load of the processor."""

import asyncio
import time
from contextlib import suppress

from lab.room.tasks import Tasks

TICK_S = 0.05
WINDOW = 100
"""Ticks that are remembered: five seconds."""
MOST_LAG_S = 0.010
MOST_CPU = 0.8
NAME = "that watches the load of this computer"


class Overload:
    """Measures the lag of the event loop all the time, and the processor at request, at most once a
    second."""

    def __init__(self, tasks: Tasks) -> None:
        self._lags: list[float] = []
        self._before = time.monotonic(), time.process_time(), machine_times()
        self._shares: tuple[float | None, float | None] = None, None
        self._tasks = tasks
        tasks.keep(NAME, self._tick)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + TICK_S
        await asyncio.sleep(TICK_S)
        self._lags = [*self._lags[1 - WINDOW :], max(0.0, loop.time() - due)]

    def stop(self) -> None:
        """Stop measuring."""
        self._tasks.drop(NAME)

    def as_json(self) -> dict[str, object]:
        """Lag (95th percentile of five seconds), and processor use: of one core, of the whole machine."""
        own, machine = self._cpu()
        ordered = sorted(self._lags)
        lag = ordered[int(len(ordered) * 0.95)] if ordered else None
        strained = (lag or 0) > MOST_LAG_S or max(own or 0, machine or 0) > MOST_CPU
        return {"lag_s": lag, "cpu": own, "machine": machine, "bottleneck": strained}

    def _cpu(self) -> tuple[float | None, float | None]:
        (then, own, machine), now = self._before, time.monotonic()
        if now - then < 0.9:
            return self._shares
        self._before = now, time.process_time(), machine_times()
        self._shares = (self._before[1] - own) / (now - then), None
        if machine and (later := self._before[2]) and later[1] > machine[1]:
            self._shares = self._shares[0], (later[0] - machine[0]) / (later[1] - machine[1])
        return self._shares


def machine_times() -> tuple[float, float] | None:
    """Busy time and all time of all cores together; None where the system does not report it (not Linux)."""
    with suppress(OSError, ValueError, IndexError), open("/proc/stat") as stat:
        times = [float(mode) for mode in stat.readline().split()[1:9]]
        return sum(times) - times[3] - times[4], sum(times)
    return None
