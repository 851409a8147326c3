"""How a lab ends: at the first request it sends `bye` and waits for clients; at the second it does not
wait."""

import asyncio
import atexit
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from lab import signals

PATIENCE_S = 20.0
"""Seconds that a program which ends waits for the lab in one of its threads."""


class Ending(asyncio.Event):
    """An event that is set when the lab must end."""

    def __init__(self) -> None:
        super().__init__()
        self._task = asyncio.current_task()
        self._first = 0.0
        self._hurried = False

    def request(self) -> None:
        """End the lab. A second request, not at the same moment, also ends the waiting for clients."""
        now = asyncio.get_running_loop().time()
        if not self.is_set():
            self._first = now
            self.set()
        elif now - self._first > signals.AGAIN_S and self._task and not self._hurried:
            self._hurried = True  # a third request changes nothing: the private Redis must still be stopped
            self._task.cancel()

    def follow_input(self) -> None:
        """End the lab when standard input ends, whose other end the process that started this one holds."""
        loop = asyncio.get_running_loop()

        def read_to_end() -> None:
            while os.read(0, 4096):
                pass
            with suppress(RuntimeError):  # the lab has ended before its input did
                loop.call_soon_threadsafe(self.request)

        # A thread, because a pipe cannot be awaited on every system.
        threading.Thread(target=read_to_end, daemon=True).start()

    @contextmanager
    def cut_short(self) -> Iterator[None]:
        """A block that ends early, without an exception, at the second request."""
        try:
            yield
        except asyncio.CancelledError:
            if not self._hurried:
                raise

    @contextmanager
    def before_the_program(self) -> Iterator[None]:
        """A block in a thread: when the program ends first, the lab is still closed in order."""
        loop, over = asyncio.get_running_loop(), threading.Event()

        def end() -> None:
            loop.call_soon_threadsafe(self.request)
            over.wait(PATIENCE_S)

        atexit.register(end)
        try:
            yield
        finally:
            over.set()
            atexit.unregister(end)


def stop_on_signals() -> Ending:
    """An event that each signal of `lab.signals` sets."""
    stop = Ending()
    for number in signals.ending():
        on_signal(number, stop.request)
    return stop


def on_signal(number: signal.Signals, action: Callable[[], None]) -> None:
    """Run this action in the event loop at each such signal. Only the main thread can set this.

    Not by asyncio's `add_signal_handler`: a signal that comes while its loop closes prints a traceback.
    """
    if not signals.can_be_set():
        return
    loop = asyncio.get_running_loop()

    def request(*_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: the lab has ended
            loop.call_soon_threadsafe(action)

    signal.signal(number, request)
