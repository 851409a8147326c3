"""A relay between the student's program and Redis or a lab: it can hold bytes back, and break connections."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

HOST = "127.0.0.1"
PIECE_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close without the rest, so that the other end sees a broken connection."""


class Relay:
    """Listens at `port`, and opens one connection by `connect` for each that it accepts."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._open = threading.Event()
        self._open.set()
        self._refuses = False
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Keep all bytes back from now on; the connections stay open."""
        self._open.clear()

    def release(self) -> None:
        """Pass all bytes on again, first those that were held back."""
        self._open.set()

    def cut(self, refuse: bool = False) -> None:
        """Break all connections, as a network does; with `refuse` new ones too, until `accept`."""
        self._refuses = refuse
        while self._ends:
            broken(self._ends.pop())

    def accept(self) -> None:
        """Accept new connections again."""
        self._refuses = False

    def end(self) -> None:
        """Stop listening, and close all connections."""
        self._listener.close()
        self.release()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:  # `end` has closed it
                return
            try:
                if self._refuses:
                    raise ConnectionRefusedError
                far = self._connect()
            except OSError:
                broken(near)
                continue
            self._ends += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE_BYTES):
                self._open.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def broken(end: socket.socket) -> None:
    """Close one end without the rest of its bytes."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
    end.close()
