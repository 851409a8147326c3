"""The compare page, and what flows to it: the facts of the tap, in batches, to every page that asks.

A page says `{"type":"lanes"}` on `/live` and is told `{"type":"lanes","now":…,"facts":[…],"open":{…}}`. A
page that is slow is told less often, and never less. While no page asks, nothing happens here.
"""

import asyncio
import re
from typing import ClassVar

from lab.catalogue import TECHNIQUES, WORDS
from lab.errors import BadParameter, Forbidden, NotFound
from lab.room.messages import compact
from lab.server.lesson import Lesson, Said, Watcher
from lab.server.pages import Page
from lab.techniques.endpoint import Endpoint
from lab.techniques.tap import Tap
from lab.techniques.watching import Wire

NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
BATCH_S = 0.12
"""Seconds between two batches: eight pictures' worth, and few enough messages for many pages."""
NAME = "that sends what the lanes show"
FIRST_FACTS = 1500
"""As many of the past does a page learn that has just come: what it needs to draw the last seconds."""


class Compare(Page):
    """A lane for each technique, on one time axis."""

    said = ("compare.",)
    keys: ClassVar[dict[str, str]] = {
        "Space": "compare.key.pause",
        "R": "compare.key.reset",
        "S": "compare.key.slow",
        "L": "compare.key.listen",
        f"1 – {len(TECHNIQUES)}": "compare.key.lane",
        "← → Enter": "compare.key.wire",
        "PgUp PgDn": "compare.key.next",
    }

    def get(self) -> None:
        """The page; what it shows comes over `/live`."""
        self.show("compare.html")


class WireView(Endpoint):
    """The bytes of a bar in a lane: a student sees those of the own page, the teacher all."""

    def get(self) -> None:
        """`lane` and `from` name the bar, `as` the page. Raises `NotFound`, `Forbidden`, `BadParameter`."""
        lesson: Lesson = self.settings["lesson"]
        wire = self._wanted(lesson.lab.tap)
        own = wire.owner and wire.owner == self.get_query_argument("as", "")
        if not own and not lesson.key.fits(self.get_cookie(lesson.cookie, "")):
            raise Forbidden("These are somebody else's bytes; the teacher may look at them.")
        self.finish(compact(wire.as_json()))

    def _wanted(self, tap: Tap) -> Wire:
        word, moment = self.get_query_argument("lane", ""), self.get_query_argument("from", "")
        if word not in WORDS or not NUMBER.fullmatch(moment):
            raise BadParameter("lane is a technique's word, from the moment in ms at which a bar begins.")
        if (wire := tap.wire(word, float(moment))) is None:
            raise NotFound("The bytes of this request are not kept any more.")
        return wire


class Lanes:
    """The pages that draw lanes, and up to which fact each has been told."""

    def __init__(self, lesson: Lesson) -> None:
        self.tap: Tap = lesson.lab.tap
        self.places: dict[Watcher, int] = {}
        self._tasks = lesson.lab.room.tasks
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
