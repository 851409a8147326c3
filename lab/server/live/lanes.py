"""What the lanes show: facts in batches, to every page that asks for them on `/live`.

A page sends `{"type":"lanes"}` and receives `{"type":"lanes","now":…,"facts":[…],"open":{…}}`. A page that is
slow receives fewer batches with the same facts in them. While no page asks, nothing happens here.
"""

import asyncio

from lab.lanes.recorder import Tap
from lab.room.messages import compact
from lab.server.lesson.lesson import Lesson, Said, Watcher

BATCH_S = 0.12
"""Seconds between two batches: eight a second look smooth, and are few messages for many pages."""
NAME = "that sends what the lanes show"
FIRST_FACTS = 1500
"""As many old facts as a page receives first: it draws the last seconds with them."""


class Lanes:
    """The pages that draw lanes, and up to which fact each has been told."""

    def __init__(self, lesson: Lesson) -> None:
        self.tap: Tap = lesson.context.tap
        self.places: dict[Watcher, int] = {}
        self._tasks = lesson.context.room.tasks
        lesson.heard["lanes"] = self.watch
        lesson.left.append(self.leave)

    def watch(self, watcher: Watcher, said: Said) -> None:
        """A page wants to draw lanes."""
        self.places[watcher] = self.tap.noted - FIRST_FACTS
        self._tasks.keep(NAME, self._tell)

    def leave(self, watcher: Watcher) -> None:
        """A page is gone."""
        self.places.pop(watcher, None)
        if not self.places:
            self._tasks.drop(NAME)

    async def _tell(self) -> None:
        self.tap.tend()
        batches: dict[int, bytes] = {}  # pages at the same place are told the same
        for watcher, place in list(self.places.items()):
            if place not in batches:
                batches[place] = batch(self.tap, place)
            if watcher.tell(batches[place]) and watcher in self.places:
                self.places[watcher] = self.tap.noted
        await asyncio.sleep(BATCH_S)


def batch(tap: Tap, place: int) -> bytes:
    """The facts behind a place, and what is open at this moment, as a page is told them."""
    return compact({"type": "lanes", "now": tap.now(), "facts": tap.since(place), "open": tap.open()})
