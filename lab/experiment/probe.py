"""Read a lab's public reports over HTTP: its meters, its cursor, its process."""

from contextlib import suppress

import aiohttp

from lab.clients.link import Refused, accepted, trust
from lab.errors import CannotStart
from lab.json_types import JsonObject
from lab.meters import COUNTERS


class Probe:
    """An HTTP client for a lab's reports. Use it as `async with`."""

    def __init__(self, url: str, certfile: str | None = None) -> None:
        self.url = url
        self.certfile = certfile

    async def __aenter__(self) -> "Probe":
        connector = aiohttp.TCPConnector(ssl=trust(self.certfile))
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str) -> JsonObject:
        """GET one report of the lab. Raises `CannotStart` when no lab answers."""
        try:
            async with self._session.get(self.url + path) as answer:
                found: JsonObject = await (await accepted(answer)).json()
                return found
        except (TimeoutError, aiohttp.ClientError, ValueError, Refused) as error:
            raise CannotStart(f"No lab answers at {self.url} ({error}).") from error

    async def meters(self, mode: str) -> JsonObject:
        """This technique's meters."""
        found: JsonObject = (await self.get("/meters"))["techniques"][mode]
        return found

    async def snapshot(self, mode: str) -> JsonObject:
        """This technique's meters, its TCP segments, and the process's usage."""
        process: JsonObject = (await self.get("/healthz"))["process"]
        return process | await self.meters(mode) | {"segments": await self._segments(mode)}

    async def _segments(self, mode: str) -> JsonObject | None:
        """The segments for receiving; None where the lab's system, or an older lab, does not report them."""
        with suppress(CannotStart):
            found: JsonObject | None = (await self.get("/segments"))[mode]
            return found
        return None


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
