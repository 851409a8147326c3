"""A raw server for exercises whose program is a client: it accepts, refuses, or resets each connection."""

import socket
import time
from contextlib import suppress
from typing import Any

from lab.anatomy import accept_steps
from lab.exercises.handshakes import NEEDED, headers
from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import Peer
from lab.exercises.steps import Program, Trial

HOST = "127.0.0.1"
LOOK_S = 0.05
REQUIRED = ("Host", *(name for name, _ in NEEDED), "Sec-WebSocket-Key", "Sec-WebSocket-Version")


class Listener:
    """A port on which the check waits for the student's program."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._socket = socket.create_server((HOST, 0))
        self._socket.settimeout(LOOK_S)
        self.port = int(self._socket.getsockname()[1])
        trial.on_end(self._socket.close)

    def accept(self, program: Program) -> Peer:
        """The next connection of the program. Raises `Mismatch` when there is none."""
        while True:
            with suppress(TimeoutError):
                peer = Peer(self._socket.accept()[0], self._trial.left)
                self._trial.peers.append(peer)
                return peer
            if program.exit_code is not None or not self._trial.left():
                raise Mismatch("no_connection", port=self.port)

    def pauses(self, program: Program, count: int) -> list[float]:
        """Break so many connections at once; returns the seconds before each."""
        found, since = [], time.monotonic()
        for _ in range(count):
            self.accept(program).reset()
            found.append(time.monotonic() - since)
            since = time.monotonic()
        return found

    def open(self, program: Program) -> Peer:
        """The next connection as a WebSocket. Raises `Mismatch` when the request is no handshake."""
        peer = self.accept(program)
        key = key_of(peer.head())
        accept = accept_steps(key).accept
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        peer.send("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode())
        return peer


def key_of(head: str) -> str:
    """The key in the request of a handshake. Raises `Mismatch` when a header is missing."""
    found = headers(head)
    for name in REQUIRED:
        if name.lower() not in found:
            raise Mismatch("no_header", received=head.partition("\r\n")[0], name=name)
    return found["sec-websocket-key"]


def printed(trial: Trial, program: Any, wanted: str, since: int = 0) -> int:
    """Wait until the program has printed this line, after so many others; returns how many there are.

    Raises `Mismatch` with the last line that it printed.
    """
    while True:
        lines = program.stdout.lines()
        if any(wanted in line for line in lines[since:]):
            return len(lines)
        if not trial.left() or program.exit_code is not None:
            raise Mismatch("not_printed", expected=wanted, received=lines[-1] if lines else "")
        time.sleep(LOOK_S)


def ended(trial: Trial, program: Program, code: int | None = None) -> None:
    """Wait until the program has ended, with this exit code if one is given. Raises `Mismatch`."""
    while program.exit_code is None and trial.left():
        time.sleep(LOOK_S)
    if program.exit_code is None:
        raise Mismatch("still_runs", code=code)
    if code is not None and program.exit_code != code:
        raise Mismatch("exit_code", code=code, found=program.exit_code)
