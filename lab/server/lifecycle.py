"""A lab that runs: opened in the right order, told to stop, and closed so that everyone hears of it."""

import asyncio
import errno
import gc
import shlex
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from ssl import SSLContext

from lab.errors import CannotStart
from lab.room.history import History, Unreachable, why
from lab.room.room import Room
from lab.room.tasks import log_unhandled
from lab.server.app import make_app
from lab.server.connections.addresses import LOOPBACK, in_url, nearest, with_zone
from lab.server.connections.listen import Listening, listen
from lab.server.connections.metered_stream import MeteredServer
from lab.server.connections.tls_stream import SecureServer
from lab.server.lesson.lesson import Lesson
from lab.server.lesson.teacher_key import TeacherKey
from lab.server.live.client_costs import ClientCosts
from lab.server.live.socket import spread
from lab.server.redis_process import find
from lab.settings import Settings
from lab.techniques.context import Context, is_address
from lab.tls import server_context

GOODBYE_S = 1.0
"""Seconds in which nobody left, after which the others are left behind; a poller may be between two polls."""
LONGEST_GOODBYE_S = 5.0
"""Seconds for a large house to hear the goodbye."""
LAST_ANSWER_S = 4.0
"""Seconds more for sends in flight; a Redis that hangs is given up after half of that."""
RETRY_MS = (1000, 5000)
"""Readers come back spread over these, so that a class does not fall on the next server all at once."""
PULSE_S = 1.0
PULSE = "that ends overdue connections and sends the news"
NEARBY, LAST_PORT = 20, 65535
COLLECT_AFTER = (20_000, 20, 20)
"""New objects before Python looks for cycles among them, and how often among older ones.

With 700, which is usual, it would look at every open connection again with each few dozen polls.
"""


@dataclass
class Running:
    """A lab that answers: where it listens, and its parts."""

    context: Context
    server: MeteredServer
    key: TeacherKey
    port: int
    lesson: Lesson
    addresses: list[str]
    """Where it listens."""
    note: str = ""
    """Why the Redis in use is not the one that one would expect; empty when it is."""

    @property
    def host(self) -> str:
        """The address by which this machine reaches it, as a URL has it."""
        return in_url(nearest(self.addresses))

    @property
    def url(self) -> str:
        """Where this machine finds the lab."""
        return f"{self.context.settings.scheme}://{self.host}:{self.port}/"


class PortBusy(CannotStart):
    """Another program listens on this port."""

    def __init__(self, port: int, host: str) -> None:
        where = "" if host == LOOPBACK else f" --host {shlex.quote(host)}"
        free = free_port(host, port)
        super().__init__(f"Port {port} is in use by another program. Try: run_lab.py --port {free}{where}")


@asynccontextmanager
async def running(settings: Settings, temporary: bool = False) -> AsyncIterator[Running]:
    """Open a lab, and close it at the end of the block. A temporary one leaves nothing in Redis.

    Raises `CannotStart` when the port is busy or the Redis that was asked for is not there.
    """
    tls = server_context(settings.certfile, settings.keyfile) if settings.certfile else None
    backend = await find(settings.redis)
    room = Room(History(backend.url, settings.room))
    usual, loop = gc.get_threshold(), asyncio.get_running_loop()
    gc.set_threshold(*COLLECT_AFTER)
    before = loop.get_exception_handler()
    loop.set_exception_handler(log_unhandled)
    try:
        context = Context(room, settings, backend.words)
        running = await _open(context, settings, tls)
        running.note = backend.note
        room.tasks.keep(PULSE, partial(_pulse, running), vital=True)
        try:
            yield running
        finally:
            room.tasks.drop(PULSE)
            _say_goodbye(running)
            await running.lesson.close()
            await _wait_for_clients(running)
    finally:
        gc.set_threshold(*usual)
        loop.set_exception_handler(before)
        try:
            with suppress(*Unreachable):
                if temporary and room.top.epoch:  # opened: before that the key may be somebody else's
                    await room.history.forget()
            await room.close()
        finally:  # also when the lab was told twice to end
            backend.stop()


async def _open(context: Context, settings: Settings, tls: SSLContext | None) -> Running:
    try:
        await context.room.open()
    except Unreachable as error:
        raise CannotStart(f"The history {context.room.history.key} cannot be read: {why(error)}") from error
    key = TeacherKey()
    lesson = Lesson(context, key)
    parts = (make_app(lesson), settings, context.meters)
    server = SecureServer(*parts, tls=tls) if tls else MeteredServer(*parts)
    sockets = bind(settings.host, settings.port)
    server.add_sockets(sockets)
    port, addresses = sockets[0].getsockname()[1], [with_zone(each.getsockname()) for each in sockets]
    lesson.listens(server, port, addresses)
    ClientCosts(lesson)
    return Running(context, server, key, port, lesson, addresses)


def bind(host: str, port: int) -> list[Listening]:
    """Sockets that will listen. Raises `PortBusy` or `CannotStart`."""
    try:
        return listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(port, host) from error
        where = in_url(host) if is_address(host) else host
        raise CannotStart(f"Cannot listen on {where}:{port}: {error.strerror or error}.") from error


def free_port(host: str, busy: int) -> int:
    """The next port that is free at this host; 0, which means any, when there is none soon."""
    for port in range(busy + 1, min(busy + NEARBY, LAST_PORT) + 1):
        with suppress(OSError):
            for tried in listen(host, port):
                tried.close()
            return port
    return 0


async def _pulse(running: Running) -> None:
    """Once a second: signs of life on silent streams, an end to what is overdue, news for who watches."""
    await asyncio.sleep(PULSE_S)
    now = asyncio.get_running_loop().time()
    for channel in running.context.channels.values():
        channel.beat(now, running.context.settings.heartbeat)
    running.server.close_overdue(now)
    spread(running.lesson)


def _say_goodbye(running: Running) -> None:
    """Stop listening, and tell everyone."""
    running.context.draining = True
    running.server.stop()
    running.context.room.leaving = RETRY_MS
    running.context.room.send_bye(RETRY_MS)
    for sender in list(running.context.senders):
        sender.close()


async def _wait_for_clients(running: Running) -> None:
    """Give everyone a moment to take the goodbye, and close what is still open."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_GOODBYE_S):
            while await _somebody_leaves(running.server.open):
                pass
    await _until(lambda: not running.context.room.sending, LAST_ANSWER_S)
    for connection in list(running.server.open):
        connection.close()
    await running.server.close_all_connections()


async def _somebody_leaves(connections: Collection[object]) -> bool:
    """Whether somebody hangs up soon; whoever holds a connection may ask once more, and hears the goodbye."""
    many = len(connections)
    await _until(lambda: not many or len(connections) < many, GOODBYE_S)
    return len(connections) < many


async def _until(is_so: Callable[[], bool], patience_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while not is_so():  # noqa: ASYNC110 - any of many parties may be the last one
                await asyncio.sleep(0.01)
