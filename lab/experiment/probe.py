"""Read a lab's public reports over HTTP: its meters, its cursor, its process; of several labs the sums."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import aiohttp

from lab.clients.link import Refused, accepted, trust
from lab.errors import CannotStart
from lab.json_types import JsonObject
from lab.meters import COUNTERS


class Probe:
    """An HTTP client for the reports of a lab, or of several. Use it as `async with`."""

    def __init__(self, url: str, certfile: str | None = None, others: Sequence[str] = ()) -> None:
        self.url = url
        self.others = others
        self.certfile = certfile

    async def __aenter__(self) -> "Probe":
        connector = aiohttp.TCPConnector(ssl=trust(self.certfile))
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, url: str | None = None) -> JsonObject:
        """GET one report of the lab. Raises `CannotStart` when no lab answers."""
        try:
            async with self._session.get((url or self.url) + path) as answer:
                found: JsonObject = await (await accepted(answer)).json()
                return found
        except (TimeoutError, aiohttp.ClientError, ValueError, Refused) as error:
            raise CannotStart(f"No lab answers at {url or self.url} ({error}).") from error

    async def snapshot(self, mode: str, segments: bool = True) -> JsonObject:
        """This technique's meters, and the process's usage: of several labs the sums, and each in `labs`.

        With `segments` also the TCP segments of a single lab.
        """
        found = await asyncio.gather(*(self._snapshot(mode, url) for url in (self.url, *self.others)))
        if len(found) > 1:
            return added(found) | {"labs": found}
        return found[0] | ({"segments": await self._segments(mode)} if segments else {})

    async def _snapshot(self, mode: str, url: str) -> JsonObject:
        process: JsonObject = (await self.get("/healthz", url))["process"]
        meters: JsonObject = (await self.get("/meters", url))["techniques"][mode]
        return process | meters

    async def _segments(self, mode: str) -> JsonObject | None:
        """The segments for receiving; None where the lab's system, or an older lab, does not report them."""
        with suppress(CannotStart):
            found: JsonObject | None = (await self.get("/segments"))[mode]
            return found
        return None


def added(found: Sequence[JsonObject]) -> JsonObject:
    """The sums of the reports of several labs."""
    directions = {name: _added_meters([one[name] for one in found]) for name in ("receive", "send")}
    return {
        name: _sum([one[name] for one in found]) for name in found[0] if name not in directions
    } | directions


def _sum(figures: Sequence[float | None]) -> float | None:
    """The sum; None when one of them was not measured."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if len(known) == len(figures) else None


def _added_meters(meters: Sequence[JsonObject]) -> JsonObject:
    counts = {name: sum(meter[name] for meter in meters) for name in COUNTERS}
    return counts | {
        "delivery_s": _together([meter["delivery_s"] for meter in meters if meter["delivery_s"]["count"]])
    }


def _together(timed: Sequence[JsonObject]) -> JsonObject:
    """Delivery times of several labs: percentiles of one lab say nothing of all of them, so they are None."""
    if len(timed) == 1:
        return timed[0]
    count = sum(one["count"] for one in timed)
    mean = sum(one["count"] * one["mean"] for one in timed) / count if count else None
    longest = max((one["max"] for one in timed), default=None)
    return {"count": count, "mean": mean, "p50": None, "p95": None, "p99": None, "max": longest}


def difference(after: JsonObject, before: JsonObject) -> JsonObject:
    """The counts between two readings of a meter. Percentiles cannot be subtracted: None unless it began at
    0."""
    timed, earlier = after["delivery_s"], before["delivery_s"]
    if earlier["count"]:
        timed = dict.fromkeys(timed) | {"count": timed["count"] - earlier["count"]}
    return subtract(after, before) | {"delivery_s": timed}


def subtract(meter: JsonObject, other: JsonObject) -> JsonObject:
    """The counts of a meter minus those of another; delivery times are not subtracted."""
    return meter | {name: meter[name] - other[name] for name in COUNTERS}
