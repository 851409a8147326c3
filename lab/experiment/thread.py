"""Run a coroutine to its end in a thread with its own event loop, wherever it is called from.

In a notebook a loop is already running, in trio or curio there is another kind of loop, and other code may
have set a policy or patched asyncio.run. So the loop is made here, independent of them.
"""

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from lab.errors import CannotStart

T = TypeVar("T")
LOOK_S = 0.2
"""Seconds after which the waiting thread wakes up, so that Ctrl-C works on every system."""


def new_loop() -> asyncio.AbstractEventLoop:
    """Python's own event loop, independent of the policy in force."""
    if sys.platform == "win32":
        return asyncio.ProactorEventLoop()
    return asyncio.SelectorEventLoop()


class InThread(Generic[T]):
    """A coroutine in a thread. It receives an event that Ctrl-C sets, so that it can stop in order.

    A second Ctrl-C cancels it. Raises `CannotStart` when no thread can be had.
    """

    def __init__(self, make: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> None:
        self._make = make
        self._error: BaseException | None = None
        self.ended = threading.Event()
        """Set when the coroutine has ended, or could not begin."""
        self._interrupts = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        """Set when the coroutine begins; nothing waits for it, as it may never begin."""
        try:
            threading.Thread(target=self._run, daemon=True).start()
        except RuntimeError as error:  # no more threads, or Python is ending
            raise CannotStart(f"No thread can be started: {error}.") from error
        except BaseException:  # Ctrl-C, while the thread began
            self._give_up()
            raise

    def result(self, tick: Callable[[], None] = lambda: None) -> T:
        """Wait for the end, calling `tick` meanwhile. What the coroutine raised is raised here."""
        while not self.ended.is_set():
            try:
                tick()
                self.ended.wait(LOOK_S)
            except KeyboardInterrupt:
                self.interrupt()
            except BaseException:  # of `tick`: stop the coroutine before the caller goes on
                self._give_up()
                self.ended.wait()
                raise
        if self._error is not None:
            raise self._error
        return self._value

    def interrupt(self) -> None:
        """Ask the coroutine to stop in order; the second call cancels it."""
        self._interrupts += 1  # first: a loop that begins now checks it
        with suppress(RuntimeError):  # it has ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._obey)

    def _give_up(self) -> None:
        self.interrupt()
        self.interrupt()

    def _obey(self) -> None:
        if self._interrupts:
            self._stop.set()
        if self._interrupts > 1:
            self._task.cancel()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                self._value = runner.run(self._main())
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._error = KeyboardInterrupt()
        except BaseException as error:  # raised again in the thread that waits
            self._error = error
        finally:
            self.ended.set()

    async def _main(self) -> T:
        self._stop = asyncio.Event()
        self._task = asyncio.ensure_future(self._make(self._stop))
        self._loop = asyncio.get_running_loop()
        self._obey()
        return await self._task
