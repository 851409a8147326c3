"""Ctrl-C while people are connected: a slip of the finger must not end the lesson, so it is asked once more.

Only at a terminal, where somebody can answer, as Jupyter does; SIGTERM is never asked back.
"""

import asyncio
import sys
from collections.abc import Callable

from lab.server.logs import show
from lab.techniques.context import Context

AGAIN_S = 3.0


class ConfirmExit:
    """What Ctrl-C does: stops when nobody is here or when it comes again in time, else says who is here."""

    def __init__(self, context: Context, stop: Callable[[], None]) -> None:
        self._lab = context
        self._stop = stop
        self._until = float("-inf")

    def __call__(self) -> None:
        """Ctrl-C was pressed."""
        now = asyncio.get_running_loop().time()
        here = len(self._lab.presence.here(now)) if at_a_terminal() else 0
        if not here or now < self._until:
            self._stop()
        else:
            self._until = now + AGAIN_S
            show(question(here))


def at_a_terminal() -> bool:
    """Whether somebody can read the question, and press a key."""
    streams = (sys.stdin, sys.stdout)
    return all(stream is not None and not stream.closed and stream.isatty() for stream in streams)


def question(here: int) -> str:
    """What is said, in both languages."""
    people = "1 person is" if here == 1 else f"{here} people are"
    english = f"{people} connected. Press Ctrl-C again within {AGAIN_S:g} s to stop."
    return f"\n  {english}\n  有 {here} 人在线，{AGAIN_S:g} 秒内再按一次 Ctrl-C 停止。"
