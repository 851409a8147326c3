"""Socket options that limit the cost of one client, and how many connections the system allows."""

import socket

SEND_BUFFER_BYTES = 128 * 1024
"""Send buffer in the kernel for a client that does not read; the default can be megabytes."""
VANISHED_MS = 15_000
"""Time after which unacknowledged bytes close a connection, for every technique (Linux TCP_USER_TIMEOUT)."""
ASK_AFTER_S, ASK_EVERY_S = 5, 2
"""TCP keep-alive: how the kernel probes a client on an idle connection.

Five probes before the connection is closed, because probes to thousands of clients at once may be lost.
"""
SPARE_DESCRIPTORS = 100
"""Descriptors for Redis, files and listening sockets, so that a full lab can still respond with 503."""
TURNED_AWAY = 50
"""Connections at a time that get a 503 response; further ones are closed without one to save descriptors."""


def bound_the_cost(connection: socket.socket) -> None:
    """Set the options that limit the memory and time of a client that does not read or has vanished."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_MS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, ASK_AFTER_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, ASK_EVERY_S)


def most_connections() -> float:
    """How many connections this process may have open and still do its other work."""
    try:
        import resource
    except ImportError:  # Windows sets no such limit
        return float("inf")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if soft == resource.RLIM_INFINITY else max(soft - SPARE_DESCRIPTORS, soft // 2)
