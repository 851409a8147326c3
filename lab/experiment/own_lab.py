"""A lab for a measured run, in a separate process; or several, behind an nginx."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from lab.child import child
from lab.json_types import JsonObject
from lab.labs.several import Plan, several


class Way(NamedTuple):
    """The URL that the listeners use, and the version of the proxy there, if it is one."""

    url: str
    version: str | None = None


class OwnLab(NamedTuple):
    """A lab for one run: its URL, its versions, and what ends it before the run does."""

    url: str
    versions: dict[str, str]
    end: Callable[[], Awaitable[None]]
    others: tuple[str, ...] = ()
    """The URLs of the other labs, when it is the first of several."""
    way: Way | None = None
    """The nginx before several labs."""

    @property
    def all_urls(self) -> list[str]:
        """The URL of each lab."""
        return [self.url, *self.others]


@asynccontextmanager
async def own_lab(settings: JsonObject) -> AsyncIterator[OwnLab]:
    """A lab for one run. Raises `CannotStart`."""
    async with child("lab.server", "The lab") as server:
        line = await server.answer(settings)
        scheme = "https" if settings.get("certfile") else "http"
        yield OwnLab(f"{scheme}://{line['host']}:{line['port']}", line["versions"], server.end)


@asynccontextmanager
async def own_labs(settings: JsonObject, labs: int, proxy: str) -> AsyncIterator[OwnLab]:
    """Several labs for one run, behind an nginx with these switches. Raises `CannotStart`."""
    own = {name: value for name, value in settings.items() if name != "port"}
    plan = Plan(labs, own, proxy, port=settings.get("port", 0))
    async with several(plan) as running:
        first, *others = running.labs
        way = Way(running.url, running.proxy["version"])
        versions = first.versions | ({"redis": running.redis["words"]} if plan.shared else {})
        yield OwnLab(first.url, versions, running.end, tuple(lab.url for lab in others), way)
