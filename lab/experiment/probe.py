"""Looking at a lab from outside, as any program may: its meters, its place, its process."""

import aiohttp

from lab.clients.link import Refused, accepted, trust
from lab.errors import CannotStart
from lab.json_types import JsonObject
from lab.meters import COUNTERS


class Probe:
    """Looks at a lab from outside. Use it as `async with`."""

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
        """One answer of the lab. Raises `CannotStart` when nobody answers there."""
        try:
            async with self._session.get(self.url + path) as answer:
                found: JsonObject = await (await accepted(answer)).json()
                return found
        except (TimeoutError, aiohttp.ClientError, ValueError, Refused) as error:
            raise CannotStart(f"No lab answers at {self.url} ({error}).") from error

    async def snapshot(self, mode: str) -> JsonObject:
        """This technique's meters, and what the process has used."""
        process: JsonObject = (await self.get("/healthz"))["process"]
        meters: JsonObject = (await self.get("/meters"))["techniques"][mode]
        return process | meters


def difference(after: JsonObject, before: JsonObject) -> JsonObject:
    """What a meter counted in between. Percentiles cannot be subtracted: None unless it began at nothing."""
    timed, earlier = after["delivery_s"], before["delivery_s"]
    if earlier["count"]:
        timed = dict.fromkeys(timed) | {"count": timed["count"] - earlier["count"]}
    return subtract(after, before) | {"delivery_s": timed}


def subtract(meter: JsonObject, other: JsonObject) -> JsonObject:
    """What a meter counted, without what another did; how long deliveries took is not subtracted."""
    return meter | {name: meter[name] - other[name] for name in COUNTERS}
