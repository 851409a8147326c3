"""Ctrl-C while users are connected must be pressed twice, so that one accidental key does not end the lesson.

Only at a terminal, where a user can press it again. SIGTERM ends the lab at once.
"""

import asyncio
import sys
from collections.abc import Callable

from lab.server.logs import show
from lab.techniques.context import Context

AGAIN_S = 3.0


class ConfirmExit:
    """The action of Ctrl-C: stop when no user is present or it is pressed again in time; else ask."""

    def __init__(self, context: Context, stop: Callable[[], None]) -> None:
        self._lab = context
        self._stop = stop
        self._until = float("-inf")

    def __call__(self) -> None:
        """Handle one press of Ctrl-C."""
        now = asyncio.get_running_loop().time()
        here = len(self._lab.presence.here(now)) if at_a_terminal() else 0
        if not here or now < self._until:
            self._stop()
        else:
            self._until = now + AGAIN_S
            show(question(here))


def at_a_terminal() -> bool:
    """Whether standard input and output are a terminal, so that a user can answer."""
    streams = (sys.stdin, sys.stdout)
    return all(stream is not None and not stream.closed and stream.isatty() for stream in streams)


def question(here: int) -> str:
    """The question, in both languages."""
    people = "1 person is" if here == 1 else f"{here} people are"
    english = f"{people} connected. Press Ctrl-C again within {AGAIN_S:g} s to stop."
    return f"\n  {english}\n  有 {here} 人在线，{AGAIN_S:g} 秒内再按一次 Ctrl-C 停止。"
