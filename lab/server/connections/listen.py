"""Listening sockets: a backlog for many clients at once, and a pause on EMFILE instead of a busy loop."""

import errno
import logging
import os
import socket
from typing import Any

from tornado.ioloop import IOLoop

from lab.errors import NO_FILE_LEFT
from lab.server.connections.addresses import addresses_of

BACKLOG = 4096
"""Backlog: connections that may wait to be accepted, as when a whole class reconnects in one second."""
AGAIN_S = 1.0
TRIES = 20
"""How many ports are tried until one is free at all addresses of a host."""
NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""Error numbers for an address that this machine does not have, or for IPv6 where it is off."""


class Listening(socket.socket):
    """A listening socket. On EMFILE it stops accepting for 1 s, and logs a warning.

    Otherwise the event loop would report the waiting connection again at once, thousands of times a second.
    """

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept the next connection. Raises `BlockingIOError` when none can be accepted now."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in NO_FILE_LEFT:
                raise
            general = logging.getLogger("tornado.general")
            general.warning("The lab accepts no new connection for %g s: %s.", AGAIN_S, error.strerror)
            IOLoop.current().update_handler(self, 0)
            IOLoop.current().call_later(AGAIN_S, self._look_again)
            raise BlockingIOError from error

    def _look_again(self) -> None:
        if self.fileno() >= 0:  # still open
            IOLoop.current().update_handler(self, IOLoop.READ)


def listen(host: str, port: int) -> list[Listening]:
    """Listening sockets at all addresses of this host, all at one port.

    Addresses that this machine does not have now are left out. Raises `OSError` when none is left, and when
    the port is busy at one of them.
    """
    addresses = addresses_of(host)
    tries = TRIES if port == 0 else 1
    while True:
        tries -= 1
        try:
            return _listen(addresses, port)
        except OSError as error:  # a port that is free at one address may be busy at another
            if not tries or error.errno != errno.EADDRINUSE:
                raise


def _listen(addresses: list[str], port: int) -> list[Listening]:
    bound: list[Listening] = []
    missing = None
    for address in addresses:
        try:
            bound.append(_bound(address, bound[0].getsockname()[1] if bound else port))
        except OSError as error:
            missing = error
            if error.errno not in NOT_HERE:
                for listening in bound:
                    listening.close()
                raise
    if missing and not bound:
        raise missing
    return bound


def _bound(address: str, port: int) -> Listening:
    family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    listening = Listening(family, kind, protocol)
    try:
        if os.name != "nt":  # on Windows two programs could then share one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # IPv4 has its own socket, on every system
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setblocking(False)
        listening.bind(place)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
