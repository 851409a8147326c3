"""Closing a connection so that its client lives to read the last answer (RFC 9112 section 9.6).

A connection that is closed while something is unread is reset by the kernel, and the answer may be lost with
it. So the sending side is closed first, and what still comes is read and thrown away for a moment.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLSocket

LINGER_S = 2.0
MOST = 200
"""Connections that may linger at once; more are closed at once, and perhaps reset."""
MOST_BYTES = 128 * 1024
"""Read from one of them; a client that sends more is not read any further, and may be reset."""
READ_BYTES = 16 * 1024


class Lingering:
    """The connections that have had their last answer and are not closed yet."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self, connection: socket.socket) -> None:
        """Close this connection in a while; what it still brings is counted, unless it is encrypted."""
        if len(self._tasks) >= MOST:
            connection.close()
            return
        count = (lambda size: None) if isinstance(connection, SSLSocket) else self._count
        task = asyncio.create_task(_drain(socket.socket(fileno=connection.detach()), count))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Wait for none of them any longer."""
        for task in self._tasks:
            task.cancel()


async def _drain(connection: socket.socket, count: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    with connection, suppress(OSError, TimeoutError):
        connection.setblocking(False)
        connection.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(LINGER_S):
            for _ in range(MOST_BYTES // READ_BYTES):
                if not (data := await loop.sock_recv(connection, READ_BYTES)):
                    return
                count(len(data))
            await asyncio.sleep(LINGER_S)
