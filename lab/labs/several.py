"""Several labs on one Redis behind an nginx. They start in the order Redis, labs, nginx.

They end in the order labs, nginx, Redis, so that every client receives its `bye`. Each is a child process
that ends when its standard input does, so none of them outlives this process, however it ends.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.child import Child, child
from lab.json_types import JsonObject
from lab.proxy import private
from lab.proxy.programs import of_several_labs
from lab.proxy.switches import GOOD

REDIS, LAB, NGINX = "lab.server.shared_redis", "lab.server", "lab.proxy.nginx"
"""The modules of the processes."""
HOST = "127.0.0.1"


class Lab(NamedTuple):
    """One of the labs: its process, and the port at which nginx reaches it."""

    process: Child
    port: int
    versions: dict[str, str]

    @property
    def place(self) -> str:
        """Its address, as nginx has it."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """Its own URL."""
        return f"http://{self.place}"


@dataclass(frozen=True)
class Plan:
    """What is started: how many labs, with which settings, behind which nginx."""

    labs: int
    settings: JsonObject = field(repr=False)
    """Of every lab; their `redis` may hold a password."""
    proxy: str = GOOD
    """The switches of nginx."""
    port: int = 0
    """The port of nginx; with a `site` it must be free."""
    site: JsonObject | None = None
    """How nginx serves users; without it nginx listens at a port of the loopback."""
    scheme: str = "http"
    addresses: tuple[str, ...] = (HOST,)
    """The addresses of nginx, as the labs show them."""

    @property
    def shared(self) -> bool:
        """Whether the labs have one Redis."""
        return of_several_labs(self.proxy).shared


class Labs:
    """The running labs, their nginx and their Redis. `several` makes one."""

    def __init__(self, plan: Plan, stack: AsyncExitStack) -> None:
        self.plan = plan
        self.labs: list[Lab] = []
        """The labs behind nginx, in the order of their numbers."""
        self.token = secrets.token_urlsafe(32)
        """The token of the teacher's link, the same at every lab."""
        self.redis: JsonObject = {}
        """The Redis of all labs: its `url`, its description in `words`, and a `note`."""
        self.proxy: JsonObject = {}
        """The nginx: its `port`, its `version` and its `conf`."""
        self.ticket = secrets.token_urlsafe(32)
        """One more token for one more link, for the browser that is opened by itself."""
        self._cookie = secrets.token_urlsafe(32)
        self._stack = stack

    async def start(self) -> None:
        """Start all of them. Raises `CannotStart`."""
        private.find("nginx")
        if self.plan.shared:
            shared = shared_redis(self.plan.settings.get("redis"), self._room_of_its_own)
            self.redis = await self._stack.enter_async_context(shared)
        self.labs = await _all(self._start(number) for number in range(1, self.plan.labs + 1))
        await self._before_the_labs()
        self._stack.push_async_callback(self.end)

    async def _before_the_labs(self) -> None:
        plan: JsonObject = {"proxy": self.plan.proxy, "labs": self.places, "port": self.plan.port}
        plan |= {"site": self.plan.site} if self.plan.site else {}
        self.nginx = await self._stack.enter_async_context(child(NGINX, "The proxy", plan))
        self.proxy = await self.nginx.answer()

    @property
    def places(self) -> list[str]:
        """The addresses of the labs, as nginx has them."""
        return [lab.place for lab in self.labs]

    @property
    def url(self) -> str:
        """The URL of nginx for this machine, where it serves no users."""
        return f"http://{HOST}:{self.proxy['port']}"

    async def end(self) -> None:
        """End the labs, at the same time; nginx and Redis go on."""
        await asyncio.gather(*(lab.process.end() for lab in self.labs))

    def hurry(self) -> None:
        """Let the labs, which are ending, wait for their clients no longer."""
        for lab in self.labs:
            lab.process.terminate()

    async def restart(self, number: int) -> None:
        """Start this lab again, at its port, after its process has ended. Raises `CannotStart`."""
        self.labs[number - 1] = await self._start(number, self.labs[number - 1].port)

    async def add(self) -> Lab:
        """Start one more lab, and put it behind nginx."""
        self.labs.append(await self._start(len(self.labs) + 1))
        await self.nginx.answer({"labs": self.places})
        return self.labs[-1]

    @property
    def _room_of_its_own(self) -> str | None:
        """The room of a measured run, which is deleted at the end."""
        room = self.plan.settings.get("room")
        return str(room) if room else None

    async def _start(self, number: int, port: int = 0) -> Lab:
        settings = self.plan.settings | {"host": HOST, "port": port, "front": self._front(number)}
        settings |= {"redis": self.redis["url"] if self.plan.shared else "private"}
        process = await self._stack.enter_async_context(child(LAB, f"Lab {number}"))
        line = await process.answer(settings)
        return Lab(process, line["port"], line["versions"])

    def _front(self, number: int) -> JsonObject:
        """What a lab knows of the nginx before it."""
        plan = self.plan
        place = {"port": plan.port, "addresses": plan.addresses, "scheme": plan.scheme}
        key = {"token": self.token, "ticket": self.ticket, "cookie": self._cookie}
        return place | key | {"lab": number, "labs": plan.labs, "shared": plan.shared}


@asynccontextmanager
async def shared_redis(wanted: str | None, room: str | None) -> AsyncIterator[JsonObject]:
    """A Redis for several labs, during the block: its `url`, its description in `words`, and a `note`.

    The room is deleted at its end. Raises `CannotStart`.
    """
    async with child(REDIS, "The Redis of the labs") as holder:
        yield await holder.answer({"redis": wanted, "room": room})


@asynccontextmanager
async def several(plan: Plan) -> AsyncIterator[Labs]:
    """Labs behind an nginx, during the block. Raises `CannotStart`."""
    async with AsyncExitStack() as stack:
        labs = Labs(plan, stack)
        await labs.start()
        yield labs


async def _all(starting: Iterable[Awaitable[Lab]]) -> list[Lab]:
    """The labs that were started at the same time. Raises the first error when all of them have answered."""
    found = await asyncio.gather(*starting, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if isinstance(one, Lab)]
