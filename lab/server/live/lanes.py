"""What the lanes show: facts in batches, to every page that asks for them on `/live`.

A page sends `{"type":"lanes"}` and receives `{"type":"lanes","now":…,"facts":[…],"open":{…}}`. A page that is
slow receives fewer batches with the same facts in them. While no page asks, nothing happens here.
"""

import asyncio

from lab.lanes.recorder import Recorder
from lab.room.messages import compact
from lab.server.lesson.lesson import Fields, Lesson, LivePage

BATCH_S = 0.12
"""Seconds between two batches: eight a second look smooth, and are few messages for many pages."""
NAME = "that sends what the lanes show"
FIRST_FACTS = 1500
"""As many old facts as a page receives first: it draws the last seconds with them."""


class Lanes:
    """The pages that draw lanes, and up to which fact each has been told."""

    def __init__(self, lesson: Lesson) -> None:
        self.recorder: Recorder = lesson.context.recorder
        self.places: dict[LivePage, int] = {}
        self._tasks = lesson.context.room.tasks
        lesson.handlers["lanes"] = self.add
        lesson.on_close.append(self.remove)

    def add(self, page: LivePage, fields: Fields) -> None:
        """A page wants to draw lanes."""
        self.places[page] = self.recorder.noted - FIRST_FACTS
        self._tasks.keep(NAME, self._send_batches)

    def remove(self, page: LivePage) -> None:
        """A page is gone."""
        self.places.pop(page, None)
        if not self.places:
            self._tasks.drop(NAME)

    async def _send_batches(self) -> None:
        self.recorder.tend()
        batches: dict[int, bytes] = {}  # pages at the same place are told the same
        for page, place in list(self.places.items()):
            if place not in batches:
                batches[place] = batch(self.recorder, place)
            if page.send(batches[place]) and page in self.places:
                self.places[page] = self.recorder.noted
        await asyncio.sleep(BATCH_S)


def batch(recorder: Recorder, place: int) -> bytes:
    """The facts behind a place, and what is open at this moment, as a page is told them."""
    return compact(
        {"type": "lanes", "now": recorder.now(), "facts": recorder.since(place), "open": recorder.open()}
    )
