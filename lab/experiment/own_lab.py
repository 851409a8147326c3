"""A lab for a measured run, in a separate process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab.errors import CannotStart
from lab.experiment.child import RunFailed, child
from lab.json_types import JsonObject


@asynccontextmanager
async def own_lab(settings: JsonObject) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """A lab for one run: its URL and its versions. Raises `CannotStart`."""
    async with child("lab.server", "The lab") as server:
        server.send(settings)  # not an argument: a Redis URL may hold a password
        try:
            line = await server.receive()
        except RunFailed as error:
            raise CannotStart(str(error)) from error
        if "error" in line:
            raise CannotStart(line["error"])
        scheme = "https" if settings.get("certfile") else "http"
        yield f"{scheme}://{line['host']}:{line['port']}", line["versions"]
