"""The end of a connection on which nothing arrives any more.

One timer for each connection looks when something was last received. A new timer for each message would be
two fifths of a listener's work.
"""

import asyncio
import time


class Silence:
    """Ends its block by `TimeoutError` after so many seconds without a call of `received`.

    Use it as `async with`, as often as wanted.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._last = 0.0

    async def __aenter__(self) -> "Silence":
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.timeout(None)
        await self._end.__aenter__()
        self.received()
        self._timer: asyncio.Handle = self._loop.call_later(self._limit_s, self._look)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._timer.cancel()
        await self._end.__aexit__(*error)  # type: ignore[arg-type]  # whatever `async with` passes

    def received(self) -> None:
        """Something has arrived."""
        self._last = time.monotonic()

    def _look(self, again: bool = False) -> None:
        left = self._last + self._limit_s - time.monotonic()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        elif again:
            self._end.reschedule(self._loop.time())
        else:  # after a pause of this whole program, what arrived meanwhile is read first
            self._timer = self._loop.call_soon(self._look, True)
