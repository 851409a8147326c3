"""Where newcomers knock: ports that a whole class may come to at once, also when there are no files left."""

import logging
import socket
from typing import Any

from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets

from lab.errors import NO_FILE_LEFT

BACKLOG = 4096
"""Connections that may wait to be accepted: a whole class that comes back in the same second."""
AGAIN_S = 1.0


class Listening(socket.socket):
    """A socket that listens. Without a file for who has come it looks away for a second, and says so.

    Who waits to be accepted would otherwise be announced again at once, thousands of times a second.
    """

    def accept(self) -> tuple[socket.socket, Any]:
        """The next newcomer. Raises `BlockingIOError` when nobody comes in at this moment."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in NO_FILE_LEFT:
                raise
            logging.getLogger("tornado.general").warning("Newcomers must wait: %s.", error.strerror)
            IOLoop.current().update_handler(self, 0)
            IOLoop.current().call_later(AGAIN_S, self._look_again)
            raise BlockingIOError from error

    def _look_again(self) -> None:
        if self.fileno() >= 0:  # still open
            IOLoop.current().update_handler(self, IOLoop.READ)


def listen(host: str, port: int) -> list[Listening]:
    """Sockets that listen at all addresses of this host. Raises `OSError` when they cannot."""
    return [Listening(fileno=bound.detach()) for bound in bind_sockets(port, host, backlog=BACKLOG)]
