"""The listeners at a worker of a Dask cluster: `lab.experiment.fleet` with a connection to the measuring
process in the place of standard input and output.

`lab.experiment.on_worker` starts it, and its standard input has one line, which says where to connect; it
ends when that input ends, because then the worker has ended, or when the connection does. On the connection
it answers to three orders, one line each: `clock` (what time is it?), `listen` (a plan), `same_machine`.
"""

import asyncio
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable

from lab.errors import CannotStart
from lab.experiment.connecting import allow_files
from lab.experiment.fleet import Events, ListenerLog, listen, report
from lab.experiment.same_machine import same_machine
from lab.json_types import JsonObject
from lab.version import __version__

CONNECT_S = 10.0
UNANSWERED_MS = 30_000
"""Milliseconds after which a connection without acknowledgements is dead (tcp(7), TCP_USER_TIMEOUT): the
measuring machine was switched off."""


class Arrivals:
    """Reports what arrived since the last report, so that it is not lost when this machine is."""

    def __init__(self) -> None:
        self._events = 0
        self._reported: list[int] = []

    def report(self, logs: list[ListenerLog], known: Events) -> None:
        """One line: new events, and for each listener with news its number, and what it received when."""
        self._reported += [0] * (len(logs) - len(self._reported))
        fresh = [
            (number, log.received[start:])
            for number, (log, start) in enumerate(zip(logs, self._reported, strict=True))
            if len(log.received) > start
        ]
        for number, received in fresh:
            self._reported[number] += len(received)
        events, self._events = known.all[self._events :], len(known.all)
        if fresh:
            report({"arrived": fresh, "new_events": events})


def main() -> None:
    """Connect, and answer to orders until the connection ends."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    with socket.create_connection((order["host"], order["port"]), CONNECT_S) as connection:
        _prepare(connection)
        connection.sendall(order["token"].encode())
        sys.stdin = connection.makefile(encoding="utf-8")
        sys.stdout = connection.makefile("w", encoding="utf-8")
        report({"version": __version__})
        while line := sys.stdin.readline():
            _obey(json.loads(line))


def _obey(order: JsonObject) -> None:
    if "clock" in order:
        report({"clock_s": time.monotonic()})
    elif "same_machine" in order:
        report({"same_machine_s": asyncio.run(same_machine(**order["same_machine"]))})
    elif _may_listen(order["listen"]):
        asyncio.run(listen(order["listen"], Arrivals().report))


def _may_listen(plan: JsonObject) -> bool:
    """Whether this system allows enough open files; reports the reason when it does not."""
    try:
        allow_files(plan["clients"], relayed=False, own=False)
    except CannotStart as error:
        report({"error": str(error)})
        return False
    return True


def _prepare(connection: socket.socket) -> None:
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if user_timeout := getattr(socket, "TCP_USER_TIMEOUT", None):
        connection.setsockopt(socket.IPPROTO_TCP, user_timeout, UNANSWERED_MS)


def _end_with_the_worker(end: Callable[[int], object] = os._exit) -> None:
    """In a thread: wait for the end of the pipe from the worker; by `sys.stdin` its lock would be held."""
    os.read(0, 1)
    end(1)


if __name__ == "__main__":
    main()
