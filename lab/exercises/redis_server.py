"""The Redis of exercises that need one: the given one, one on this machine, or a private one of the check."""

import os
import socket
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from lab.errors import CannotStart
from lab.experiment.thread import InThread
from lab.room.history import SIMULATED
from lab.server.redis_process import find

PATIENCE_S = 5.0


class RedisServer:
    """A Redis that the student's program uses, and of which the check reads one key. Raises `CannotStart`."""

    def __init__(self) -> None:
        wanted = os.environ.get("REDIS_URL") or None
        self._backend = InThread(lambda end: find(wanted)).result()
        self.url = self._backend.url
        if self.url == SIMULATED:
            raise CannotStart("This exercise needs Redis. Start one, and set REDIS_URL to its address.")

    def length(self, key: str) -> int:
        """How many entries a list has; 0 when it does not exist or is no list."""
        found = self._ask("LLEN", key)
        return int(found[1:]) if found.startswith(":") else 0

    def delete(self, key: str) -> None:
        """Delete a key."""
        self._ask("DEL", key)

    def connect(self) -> socket.socket:
        """A new connection to it."""
        address = urlsplit(self.url)
        if address.scheme != "unix":
            place = (address.hostname or "127.0.0.1", address.port or 6379)
            return socket.create_connection(place, PATIENCE_S)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE_S)
        connection.connect(unquote(address.path))
        return connection

    def at(self, port: int) -> str:
        """Its URL for a program that reaches it through this port of a relay."""
        address = urlsplit(self.url)
        secret = f":{address.password}@" if address.password else ""
        base = "" if address.scheme == "unix" else address.path
        return f"redis://{secret}127.0.0.1:{port}{base}"

    def end(self) -> None:
        """Stop it, if the check has started it."""
        self._backend.stop()

    def _ask(self, command: str, key: str) -> str:
        """The first line of the response to one command (RESP, inline commands)."""
        address = urlsplit(self.url)
        with suppress(OSError), self.connect() as connection:
            login = f"AUTH {unquote(address.password)}\r\n" if address.password else ""
            base = address.path.strip("/") if address.scheme != "unix" else ""
            connection.sendall(f"{login}SELECT {base or 0}\r\n{command} {key}\r\nQUIT\r\n".encode())
            data = b""
            while more := connection.recv(4096):
                data += more
            return data.decode(errors="replace").split("\r\n")[2 if login else 1]
        return ""
