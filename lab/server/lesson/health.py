"""Problems of the lab at this moment: for `/readyz`, the teacher's console and the tests."""

import asyncio
from typing import NamedTuple

from lab.room.reasons import SENTENCES
from lab.techniques.context import Context

READY_S = 3.0
"""Seconds since the last reply of Redis within which the lab counts as ready."""


class Problem(NamedTuple):
    """One problem: a code for programs, a sentence for users, and whether the lab cannot work."""

    code: str
    """As in `reasons` of `/readyz`."""
    cause: str
    """A key of `SENTENCES`, the name of the failing task, or empty."""
    message: str
    vital: bool = True


def problems(context: Context) -> list[Problem]:
    """All problems now, the most serious first; empty when there is none."""
    tasks = [
        Problem("task_failing", task.name, f"The task {task.name} fails: {task.cause}.", task.vital)
        for task in context.room.tasks.failing()
    ]
    leaving = [Problem("draining", "", "The lab is closing.")] if context.draining else []
    return [*_history(context), *tasks, *leaving]


def _history(context: Context) -> list[Problem]:
    room = context.room
    late = asyncio.get_running_loop().time() - room.last_reply_at > READY_S
    trouble = room.trouble or ("silent" if late else "" if room.reachable else "unreachable")
    return [Problem("history_unavailable", trouble, SENTENCES[trouble])] if trouble else []
