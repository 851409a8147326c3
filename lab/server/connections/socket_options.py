"""What one client may cost the machine, and how many of them the system allows."""

import socket
from typing import Any

SEND_BUFFER_BYTES = 128 * 1024
"""What the kernel may hold for a client that does not read; its own choice would be megabytes."""
VANISHED_MS = 15_000
"""Unacknowledged for so long, a client is gone, whatever the technique (Linux TCP_USER_TIMEOUT)."""
ASK_AFTER_S, ASK_EVERY_S = 5, 2
"""When nothing is on its way, the kernel asks whether the client is still there (TCP keep-alive).

Five times before it is taken for vanished: thousands who came at once are asked at once, and much is lost.
"""
SPARE_DESCRIPTORS = 100
"""For Redis, files and the listening sockets, so that a full house can still say that it is full."""
TURNED_AWAY = 50
"""How many at a time are told that the lab is full; more are hung up on, or no file would be left."""


def bound_the_cost(connection: socket.socket) -> None:
    """Keep a client that reads nothing, or is no longer there, from costing memory or a place."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_MS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, ASK_AFTER_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, ASK_EVERY_S)


class Few(list[Any]):
    """A queue that is nearly always empty: then a deque takes twelve times its memory."""

    __slots__ = ()

    def popleft(self) -> Any:
        """Take the first."""
        return self.pop(0)


def save_memory(stream: Any) -> None:
    """Give an idle stream queues that take nearly nothing; Tornado's own are 1.4 KB for each connection."""
    stream._write_buffer._buffers, stream._write_futures = Few(), Few()


def most_connections() -> float:
    """How many connections this process may have open and still do its other work."""
    try:
        import resource
    except ImportError:  # Windows sets no such limit
        return float("inf")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if soft == resource.RLIM_INFINITY else max(soft - SPARE_DESCRIPTORS, soft // 2)
