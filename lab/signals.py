"""The signals that end a program: Ctrl-C, SIGTERM, a closed terminal (SIGHUP), Ctrl-\\ (SIGQUIT), Ctrl-Break.

A terminal that closes and `timeout` send theirs twice at once, which counts as one.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ALWAYS = ("SIGINT", "SIGTERM")
UNLESS_IGNORED = ("SIGHUP", "SIGQUIT", "SIGBREAK")
"""Of these, one that is ignored when the lab starts stays ignored: `nohup` asks for that."""
AGAIN_S = 0.3
"""Seconds after which the same or another signal is a second one."""


def ending() -> list[signal.Signals]:
    """The signals that end the lab on this system, without those that were ignored at its start."""
    optional = [name for name in UNLESS_IGNORED if hasattr(signal, name)]
    wanted = [name for name in optional if signal.getsignal(signal.Signals[name]) is not signal.SIG_IGN]
    return [signal.Signals[name] for name in (*ALWAYS, *wanted)]


def can_be_set() -> bool:
    """Whether this thread may set signal handlers: in Python only the main thread may."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def restored() -> Iterator[list[signal.Signals]]:
    """A block that may change what they do: afterwards all is as before. Yields those that can be set."""
    before = {number: signal.getsignal(number) for number in ending()} if can_be_set() else {}
    try:
        yield list(before)
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)


@contextmanager
def like_ctrl_c() -> Iterator[None]:
    """Within the block each of them raises `KeyboardInterrupt`. Only the main thread can set this."""
    interrupt = _Interrupt()
    with restored() as numbers:
        for number in numbers:
            signal.signal(number, interrupt)
        yield


class _Interrupt:
    """Raises `KeyboardInterrupt`, once for signals that arrive together."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        last, self._last = self._last, time.monotonic()
        if self._last - last > AGAIN_S:
            raise KeyboardInterrupt
