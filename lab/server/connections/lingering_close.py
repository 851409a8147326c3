"""Close a connection so that its client can still read the last response (RFC 9112 section 9.6).

The kernel resets a connection that is closed with unread bytes, and the client may lose the response. So the
sending side is closed first, and bytes that still arrive are read and discarded for a short time.
"""

import asyncio
import socket
from collections.abc import Callable
from ssl import SSLSocket

LINGER_S = 2.0
MOST = 200
"""Most connections that linger together; further ones are closed immediately, and perhaps reset."""
MOST_BYTES = 128 * 1024
"""Most bytes read from one of them; a client that sends more may be reset."""
READ_BYTES = 16 * 1024


class Lingering:
    """The connections whose last response is sent and that are not closed yet."""

    def __init__(self, received: Callable[[int], None]) -> None:
        self._received = received
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self, connection: socket.socket) -> None:
        """Close this connection after a short time; bytes that still arrive are counted, unless encrypted."""
        if len(self._tasks) >= MOST:
            connection.close()
            return
        count = (lambda size: None) if isinstance(connection, SSLSocket) else self._received
        task = asyncio.create_task(_drain(socket.socket(fileno=connection.detach()), count))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def count(self) -> int:
        """How many connections linger at this moment."""
        return len(self._tasks)

    def stop(self) -> None:
        """Close all of them now."""
        for task in self._tasks:
            task.cancel()


def has_unread(connection: socket.socket) -> bool:
    """Whether the system holds bytes that were not read, because of which it would reset the connection."""
    plain = socket.socket(fileno=connection.fileno())  # bytes of TLS count too, before they are decrypted
    try:
        return bool(plain.recv(1, socket.MSG_PEEK))
    except OSError:  # none, or the client has reset the connection
        return False
    finally:
        plain.detach()


async def _drain(connection: socket.socket, count: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    with connection:
        try:
            connection.setblocking(False)
            connection.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(LINGER_S):
                for _ in range(MOST_BYTES // READ_BYTES):
                    if not (data := await loop.sock_recv(connection, READ_BYTES)):
                        return
                    count(len(data))
                await asyncio.sleep(LINGER_S)
        except OSError as error:  # or the time is over
            error.__traceback__ = None  # asyncio keeps the error in a future, which a frame of it keeps
