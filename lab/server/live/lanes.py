"""Send the facts of the lanes in batches to every page that requests them on `/live`.

A page sends `{"type":"lanes"}` and receives `{"type":"lanes","now":…,"facts":[…],"open":{…}}`. A page that is
slow receives fewer batches with the same facts in them. While no page asks, nothing happens here.
"""

import asyncio

from lab.lanes.recorder import Recorder
from lab.room.messages import compact
from lab.server.lesson.lesson import Fields, Lesson, LivePage

BATCH_S = 0.12
"""Seconds between two batches: eight per second look smooth, and are few messages for many pages."""
NAME = "that sends what the lanes show"
FIRST_FACTS = 1500
"""Old facts in the first batch, with which a page draws the last seconds."""


class Lanes:
    """The pages that draw lanes, and the number of facts that each has received."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson
        self.recorder: Recorder = lesson.context.recorder
        """The recorder whose facts the pages receive."""
        self.places: dict[LivePage, int] = {}
        self._tasks = lesson.context.room.tasks
        lesson.handlers["lanes"] = self.add
        lesson.on_close.append(self.remove)

    def add(self, page: LivePage, fields: Fields) -> None:
        """Start sending facts to this page."""
        self.places[page] = self.recorder.noted - FIRST_FACTS
        self._tasks.keep(NAME, self._send_batches)

    def remove(self, page: LivePage) -> None:
        """Stop sending facts to this page."""
        self.places.pop(page, None)
        if not self.places:
            self._tasks.drop(NAME)

    def _follow(self) -> None:
        """Go on with another recorder when a demonstration has begun or ended."""
        shown = self._lesson.shown.recorder
        if shown is not self.recorder:
            self.recorder = shown
            self.places = dict.fromkeys(self.places, shown.noted - FIRST_FACTS)

    async def _send_batches(self) -> None:
        self._follow()
        self.recorder.tend()
        batches: dict[int, bytes] = {}  # pages at the same place share a batch
        for page, place in list(self.places.items()):
            if place not in batches:
                batches[place] = batch(self.recorder, place)
            if page.send(batches[place]) and page in self.places:
                self.places[page] = self.recorder.noted
        await asyncio.sleep(BATCH_S)


def batch(recorder: Recorder, place: int) -> bytes:
    """The facts after a place, and the requests open now, as the JSON for a page."""
    return compact(
        {"type": "lanes", "now": recorder.now(), "facts": recorder.since(place), "open": recorder.open()}
    )
