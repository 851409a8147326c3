"""What one client may cost the machine, and how many of them the system allows."""

import socket

SEND_BUFFER_BYTES = 128 * 1024
"""What the kernel may hold for a client that does not read; its own choice would be megabytes."""
VANISHED_MS = 15_000
"""Unacknowledged for so long, a client is gone, whatever the technique (Linux TCP_USER_TIMEOUT)."""
SPARE_DESCRIPTORS = 100
"""For Redis, files and the listening sockets, so that a full house can still say that it is full."""


def bound_the_cost(connection: socket.socket) -> None:
    """Keep a client that reads nothing, or is no longer there, from costing memory or a place."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_MS)


def most_connections() -> float:
    """How many connections this process may have open and still do its other work."""
    try:
        import resource
    except ImportError:  # Windows sets no such limit
        return float("inf")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if soft == resource.RLIM_INFINITY else soft - SPARE_DESCRIPTORS
