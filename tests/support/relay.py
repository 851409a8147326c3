"""A TCP relay between client and lab that counts what it passes on: a witness that knows no protocol."""

import asyncio
from contextlib import asynccontextmanager, suppress

from tests.support.wire import HOST


class Relay:
    """Where it listens, and how many bytes went each way."""

    def __init__(self, port: int) -> None:
        self.lab_port = port
        self.port = 0
        self.to_lab = 0
        self.from_lab = 0
        self.carrying: set[asyncio.Task] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until both sides are done."""
        self.carrying.add(asyncio.current_task())
        lab_reader, lab_writer = await asyncio.open_connection(HOST, self.lab_port)
        with suppress(ConnectionError):
            await asyncio.gather(self._up(reader, lab_writer), self._down(lab_reader, writer))
        for end in (writer, lab_writer):
            end.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.to_lab += len(data)
            writer.write(data)
        writer.write_eof()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.from_lab += len(data)
            writer.write(data)
        writer.write_eof()


@asynccontextmanager
async def relay(port: int):
    """A relay to this port for the length of the block."""
    between = Relay(port)
    server = await asyncio.start_server(between.carry, HOST, 0)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        server.close()
        await asyncio.gather(*between.carrying)
