"""Figures for the teacher, drawn by a separate process: the server loads no matplotlib."""

import asyncio
from contextlib import suppress

from lab.errors import CannotDraw
from lab.server.lesson.subprocesses import PIPE, module

FIGURES = "lab.figures"
PATIENCE_S = 60.0
"""Longest time for a figure: it takes seconds, the first one also searches fonts, a busy machine is slow."""


class Drawing:
    """Draws one figure at a time, so that repeated clicks do not use the processor that the lesson needs."""

    def __init__(self) -> None:
        self.busy = False
        """Whether a figure is being drawn."""

    async def picture(self, kind: str, exported: bytes) -> bytes:
        """An exported lesson as a picture, `svg` or `png`. Raises `CannotDraw`."""
        if self.busy:
            raise CannotDraw("A figure is being drawn already; ask again in a moment.")
        self.busy = True
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await _drawn(kind, exported)
        except TimeoutError as error:
            raise CannotDraw(f"The figure was not ready after {PATIENCE_S:g} s.") from error
        finally:
            self.busy = False


async def _drawn(kind: str, exported: bytes) -> bytes:
    artist = await module(FIGURES, kind, stdout=PIPE, stderr=PIPE)
    try:
        picture, complaint = await artist.communicate(exported)
    finally:  # also when the client has disconnected
        with suppress(ProcessLookupError):
            artist.kill()
        await artist.wait()
    if artist.returncode:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise CannotDraw(f"The figure could not be drawn: {last or 'no reason was given'}.")
    return picture
