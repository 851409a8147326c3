"""Figures for the teacher, drawn by a process of its own: the server loads no matplotlib."""

import asyncio
from contextlib import suppress

from lab.errors import CannotDraw
from lab.server.lesson.subprocesses import PIPE, module

FIGURES = "lab.figures"
PATIENCE_S = 60.0
"""A figure takes seconds; the first on a machine also looks for fonts, and on a busy one all is slow."""


class Drawing:
    """One figure at a time, so that no row of impatient clicks takes the processor from the class."""

    def __init__(self) -> None:
        self._busy = False

    async def picture(self, kind: str, exported: bytes) -> bytes:
        """An exported lesson as a picture, `svg` or `png`. Raises `CannotDraw`."""
        if self._busy:
            raise CannotDraw("A figure is being drawn already; ask again in a moment.")
        self._busy = True
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await _drawn(kind, exported)
        except TimeoutError as error:
            raise CannotDraw(f"The figure was not ready after {PATIENCE_S:g} s.") from error
        finally:
            self._busy = False


async def _drawn(kind: str, exported: bytes) -> bytes:
    artist = await module(FIGURES, kind, stdout=PIPE, stderr=PIPE)
    try:
        picture, complaint = await artist.communicate(exported)
    finally:  # nobody waits for it any longer
        with suppress(ProcessLookupError):
            artist.kill()
        await artist.wait()
    if artist.returncode:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise CannotDraw(f"The figure could not be drawn: {last or 'no reason was given'}.")
    return picture
