"""A running lab: open its parts in order, and close them so that every client receives a `bye`."""

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
from lab.program import NAME
from lab.room.history import History, Unreachable, why
from lab.room.room import Room
from lab.room.tasks import log_unhandled
from lab.server.app import make_app
from lab.server.connections.addresses import LOOPBACK, in_url, nearest, with_zone
from lab.server.connections.lingering_close import LINGER_S
from lab.server.connections.listen import Listening, listen
from lab.server.connections.metered_server import MeteredServer
from lab.server.connections.tls_stream import SecureServer
from lab.server.lesson.lesson import Lesson
from lab.server.lesson.teacher_key import TeacherKey
from lab.server.live.client_costs import ClientCosts
from lab.server.live.socket import spread
from lab.server.pages.i18n import LANGUAGES, text
from lab.server.quick_polls import QuickPolls
from lab.server.redis_process import find
from lab.settings import Settings
from lab.techniques.context import Context, is_address
from lab.tls import server_context

GOODBYE_S = 1.0
"""Seconds without a disconnection after which the lab stops waiting; a poller may be between two polls."""
LONGEST_GOODBYE_S = 5.0
"""Longest time, in seconds, to send the `bye` to all clients."""
LAST_ANSWER_S = 4.0
"""Additional seconds for sends in progress; the wait for a Redis that does not answer is half as long."""
RETRY_MS = (1000, 5000)
"""Bounds (ms) of the random reconnect times, so that the clients do not all connect at the same moment."""
SOON_MS = (0, 1000)
"""The same for one of several labs: the others serve its clients at once."""
PULSE_S = 1.0
PULSE = "that ends overdue connections and sends the updates"
NEARBY, LAST_PORT = 20, 65535
COLLECT_AFTER = (20_000, 20, 20)
"""Thresholds of Python's cycle collector: new objects before a collection, and its older generations.

With the default of 700 it would visit every open connection after each few dozen polls.
"""


@dataclass
class Running:
    """A running lab: its addresses and its parts."""

    context: Context
    server: MeteredServer
    key: TeacherKey
    port: int
    lesson: Lesson
    addresses: list[str]
    """The addresses at which it listens."""
    note: str = ""
    """Why another Redis than the expected one is in use; empty when it is the expected one."""

    @property
    def host(self) -> str:
        """The address by which this machine reaches the lab, as in a URL."""
        return in_url(nearest(self.addresses))

    @property
    def url(self) -> str:
        """The URL of the lab for this machine."""
        return f"{self.context.settings.scheme}://{self.host}:{self.port}{self.context.settings.own_base}"


class PortBusy(CannotStart):
    """Another program listens on this port."""

    def __init__(self, port: int, host: str) -> None:
        where = "" if host == LOOPBACK else f" --host {shlex.quote(host)}"
        free = free_port(host, port)
        super().__init__(f"Port {port} is in use by another program. Try: {NAME} --port {free}{where}")


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
                if temporary and room.top.epoch:  # before that the key may belong to another lab
                    await room.history.forget()
            await room.close()
        finally:  # also after a second signal
            backend.stop()


async def _open(context: Context, settings: Settings, tls: SSLContext | None) -> Running:
    try:
        await context.room.open()
    except Unreachable as error:
        raise CannotStart(f"The history {context.room.history.key} cannot be read: {why(error)}") from error
    front = settings.front
    key = TeacherKey(front.token, front.cookie, [front.ticket]) if front else TeacherKey()
    name = " · ".join(dict.fromkeys(text(language, "crew.name") for language in LANGUAGES))
    lesson = Lesson(context, key, name)
    application = make_app(lesson)
    parts = (application, settings, context.meters)
    server = SecureServer(*parts, tls=tls) if tls else MeteredServer(*parts)
    if not tls:  # TLS may hold decrypted bytes of which the system knows nothing
        server.begins_poll = QuickPolls(application, context).begins
    sockets = bind(settings.host, settings.port)
    server.add_sockets(sockets)
    port, addresses = sockets[0].getsockname()[1], [with_zone(each.getsockname()) for each in sockets]
    lesson.listens(server, port, addresses)
    ClientCosts(lesson)
    if not front:  # several labs have a lesson each, and one room
        await application.settings["guide"].resume()
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
    """Once a second: send heartbeats and live updates, and close overdue connections."""
    await asyncio.sleep(PULSE_S)
    now = asyncio.get_running_loop().time()
    for channel in running.context.channels.values():
        channel.beat(now, running.context.settings.heartbeat)
    running.server.close_overdue(now)
    spread(running.lesson)


def _say_goodbye(running: Running) -> None:
    """Stop listening, and send every client a `bye`."""
    running.context.draining = True
    running.server.stop()
    retry_ms = SOON_MS if running.context.settings.front else RETRY_MS
    running.context.room.leaving = retry_ms
    running.context.room.send_bye(retry_ms)
    for sender in list(running.context.senders):
        sender.close()


async def _wait_for_clients(running: Running) -> None:
    """Wait for the clients to receive their `bye`, then close the connections that are still open."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_GOODBYE_S):
            while await _somebody_leaves(running.server.open):
                pass
    await _until(lambda: not running.context.room.sending, LAST_ANSWER_S)
    for connection in list(running.server.open):
        connection.close()
    await _until(lambda: not running.server.lingering.count, LINGER_S)
    await running.server.close_all_connections()


async def _somebody_leaves(connections: Collection[object]) -> bool:
    """Whether a client disconnects soon; a client that sends another request receives the `bye`."""
    many = len(connections)
    await _until(lambda: not many or len(connections) < many, GOODBYE_S)
    return len(connections) < many


async def _until(is_so: Callable[[], bool], patience_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while not is_so():  # noqa: ASYNC110 - many different events can make it true
                await asyncio.sleep(0.01)
