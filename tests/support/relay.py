"""A TCP relay between client and lab that counts what it passes on: a witness that knows no protocol."""

import asyncio
import ssl
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from threading import Thread

from tests.support.wire import HOST


class Relay:
    """Where it listens, and how many bytes went each way."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self.lab_port = port
        self.tls = tls
        self.port = 0
        self.to_lab = 0
        self.from_lab = 0
        self.carrying: set[asyncio.Task] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until both sides are done."""
        self.carrying.add(asyncio.current_task())
        lab_reader, lab_writer = await asyncio.open_connection(HOST, self.lab_port, ssl=self.tls)
        await either_breaks(self._up(reader, lab_writer), self._down(lab_reader, writer))
        await asyncio.gather(close(writer), close(lab_writer))

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.to_lab += len(data)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:  # TLS knows no half-closed connection
            writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.from_lab += len(data)
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def either_breaks(*ways: Coroutine) -> None:
    """Carry both ways to their ends; when one breaks, so does the other."""
    try:
        async with asyncio.TaskGroup() as both:
            for way in ways:
                both.create_task(way)
    except* OSError:  # of the connection, or of its encryption
        pass


async def close(writer: asyncio.StreamWriter) -> None:
    """Close one end, when what was written has gone."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def relay(port: int, tls: ssl.SSLContext | None = None):
    """A relay to this port for the length of the block; with `tls` it encrypts what it passes on."""
    between = Relay(port, tls)
    server = await asyncio.start_server(between.carry, HOST, 0)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        server.close()
        await asyncio.gather(*between.carrying)


@contextmanager
def unencrypted(port: int, tls: ssl.SSLContext):
    """The port of a relay in a thread of its own, through which plain clients connect to a lab behind TLS."""
    opened: Future = Future()

    async def serve() -> None:
        async with relay(port, tls) as between:
            over = asyncio.Event()
            opened.set_result((between.port, over, asyncio.get_running_loop()))
            await over.wait()

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    at, over, loop = opened.result()
    yield at
    loop.call_soon_threadsafe(over.set)
    thread.join()
