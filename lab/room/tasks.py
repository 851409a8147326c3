"""The lab's long-lived tasks: started in one place, logged when they fail, and started again.

A task is a *turn* that is awaited again and again. When a turn raises, or the task is cancelled, the cause
is logged once, the task is started again after a pause, and it counts as failing until a turn has been
completed. An error of a short-lived task is logged in one line too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.json_types import JsonObject

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
STOP_STEP_S = 0.05

Turn = Callable[[], Awaitable[object]]

logger = logging.getLogger("pushlab")


@dataclass
class Task:
    """One long-lived task: its turn, whether the lab needs it, and whether it fails."""

    name: str
    turn: Turn
    vital: bool
    failures: int = 0
    """Failures since the last turn that was completed."""
    cause: str = ""
    """Cause of the last failure, while the task fails: the name of the exception and its text."""
    running: asyncio.Task[None] | None = None
    restart: asyncio.TimerHandle | None = None

    @property
    def pause_s(self) -> float:
        """Seconds before it is started again: longer after each failure in a row."""
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 10))


class Tasks:
    """The long-lived tasks of one lab, by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, Task] = {}
        """All tasks that run, or wait to be started again."""

    def keep(self, name: str, turn: Turn, vital: bool = False) -> None:
        """Await this turn again and again, also after errors. A second call with the same name does
        nothing."""
        if name not in self.by_name:
            self.by_name[name] = Task(name, turn, vital)
            self._start(self.by_name[name])

    def drop(self, name: str) -> asyncio.Task[None] | None:
        """Cancel this task for good; returns it while it has not yet ended."""
        task = self.by_name.pop(name, None)
        if task is None or task.running is None:
            return None
        if task.restart:
            task.restart.cancel()
        task.running.cancel()
        return task.running

    async def stop(self, name: str) -> None:
        """Cancel this task for good, and wait until it has ended."""
        running = self.drop(name)
        while running is not None and not running.done():
            running.cancel()  # more than once: redis-py swallows one that comes while it connects
            await asyncio.wait([running], timeout=STOP_STEP_S)

    async def stop_all(self) -> None:
        """Cancel every task for good, and wait until all have ended."""
        for name in list(self.by_name):
            await self.stop(name)

    def failing(self) -> list[Task]:
        """The tasks that have failed and have not completed a turn since."""
        return [task for task in self.by_name.values() if task.cause]

    def _start(self, task: Task) -> None:
        task.running = asyncio.create_task(self._repeat(task), name=f"pushlab {task.name}")
        task.running.add_done_callback(lambda running: self._ended(task, running))

    async def _repeat(self, task: Task) -> None:
        while self.by_name.get(task.name) is task:
            await task.turn()
            self._healed(task)
            await asyncio.sleep(0)  # a turn without an await must not block the other tasks

    def _healed(self, task: Task) -> None:
        if task.cause:
            logger.warning("The task %s works again.", task.name)
        task.cause, task.failures = "", 0

    def _ended(self, task: Task, running: asyncio.Task[None]) -> None:
        """Start the task again; a callback and not a task, so that cancelling all tasks cannot stop it."""
        error = None if running.cancelled() else running.exception()
        if self.by_name.get(task.name) is not task:
            return  # it was stopped on purpose
        cause = in_a_line(error) if error else "it was cancelled"
        if cause != task.cause:
            logger.error("The task %s stopped and is started again: %s.", task.name, cause)
            logger.debug("The task %s stopped here:", task.name, exc_info=error)
        task.cause, task.failures = cause, task.failures + 1
        task.restart = running.get_loop().call_later(task.pause_s, self._start, task)


def log_unhandled(loop: asyncio.AbstractEventLoop, context: JsonObject) -> None:
    """Log an exception that no code has caught, in one line; an event loop's exception handler."""
    error, where = context.get("exception"), context.get("task") or context.get("future")
    name = f" in {where.get_name()}" if isinstance(where, asyncio.Task) else ""
    logger.error(
        "An error was not handled%s: %s.", name, in_a_line(error) if error else context.get("message")
    )
    logger.debug("The error was raised here:", exc_info=error)


def in_a_line(error: BaseException) -> str:
    """The name of an exception and its text."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".: ")
