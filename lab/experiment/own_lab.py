"""A lab for a measured run, in a separate process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from lab.child import RunFailed, child
from lab.errors import CannotStart
from lab.json_types import JsonObject


class OwnLab(NamedTuple):
    """A lab for one run: its URL, its versions, and what ends it before the run does."""

    url: str
    versions: dict[str, str]
    end: Callable[[], Awaitable[None]]


@asynccontextmanager
async def own_lab(settings: JsonObject) -> AsyncIterator[OwnLab]:
    """A lab for one run. Raises `CannotStart`."""
    async with child("lab.server", "The lab") as server:
        server.send(settings)  # not an argument: a Redis URL may hold a password
        try:
            line = await server.receive()
        except RunFailed as error:
            raise CannotStart(str(error)) from error
        if "error" in line:
            raise CannotStart(line["error"])
        scheme = "https" if settings.get("certfile") else "http"
        yield OwnLab(f"{scheme}://{line['host']}:{line['port']}", line["versions"], server.end)
