"""The connections on which listeners on other machines report to the measuring process: lines of JSON.

Each process of listeners has a token for one connection. A second connection with the same token is closed
at once: a task that Dask starts again does not measure again.
"""

import asyncio
import json
import secrets
from contextlib import suppress

from lab.json_types import JsonObject

TOKEN_BYTES = 32
TOKEN_LENGTH = len(secrets.token_hex(TOKEN_BYTES))
TOKEN_PATIENCE_S = 10.0
LONGEST_LINE = 1 << 30
"""Bytes of the longest line: everything that the listeners of one process have received."""


class Ended(Exception):
    """There is no further line on a connection, for this reason."""


class Lines:
    """One connection: lines of JSON in both directions."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, orders: JsonObject) -> None:
        """Send one line; when the connection has ended, `receive` raises that."""
        self._writer.write(json.dumps(orders).encode() + b"\n")

    async def receive(self, patience_s: float) -> bytes:
        """The next line. Raises `Ended` when there is none within so many seconds."""
        try:
            line = await asyncio.wait_for(self._reader.readline(), patience_s)
        except TimeoutError:
            raise Ended(f"nothing arrived for {patience_s:g} s") from None
        except (OSError, ValueError) as error:
            raise Ended(f"its connection broke off: {error}") from error
        if not line.endswith(b"\n"):
            raise Ended("its connection was closed")
        return line

    def close(self) -> None:
        """Close the connection, which ends the process at its other end."""
        self._writer.close()


class Channel:
    """A port at which processes of listeners connect, each with its token. Use it as `async with`."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._expected: dict[str, asyncio.Future[Lines]] = {}
        self._open: list[Lines] = []

    async def __aenter__(self) -> "Channel":
        self._server = await asyncio.start_server(self._arrive, self.host, 0, limit=LONGEST_LINE)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for lines in self._open:
            lines.close()

    def expect(self) -> "tuple[str, asyncio.Future[Lines]]":
        """A token for one connection, and that connection when it is there."""
        token = secrets.token_hex(TOKEN_BYTES)
        self._expected[token] = asyncio.get_running_loop().create_future()
        return token, self._expected[token]

    async def _arrive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        token = b""
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            token = await asyncio.wait_for(reader.readexactly(TOKEN_LENGTH), TOKEN_PATIENCE_S)
        expected = self._expected.pop(token.decode("ascii", "replace"), None)
        if expected is None or expected.done():  # another program, or a task that was started again
            writer.close()
            return
        self._open.append(lines := Lines(reader, writer))
        expected.set_result(lines)
