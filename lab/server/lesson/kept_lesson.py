"""The guided lesson outlives its lab: it is written to Redis as it changes, and read when a lab starts again.

Writing is a task of its own, so that no request and no page waits for Redis. While Redis is away, or refuses,
the lesson goes on in memory, and all of it is written when Redis is back.
"""

import asyncio
import logging
import time

from lab.room.history import Unreachable, why
from lab.room.room import Room
from lab.server.lesson.assignment import Assignment
from lab.server.lesson.guided import Asked, Guided
from lab.server.lesson.record import (
    MOST_BYTES,
    PLACE,
    NotOurs,
    name_of,
    names,
    place_as_text,
    question_as_text,
    read_place,
    read_question,
)

PAUSE_S = 0.2
"""Seconds between two looks for changes: so much of a lesson is lost with a lab that is killed."""
RENEW_S = 60.0
"""Seconds after which an unchanged lesson is written again, because what is kept in Redis expires."""
NAME = "that keeps the guided lesson"

logger = logging.getLogger("pushlab")


class KeptLesson:
    """Keeps one guided lesson in Redis."""

    def __init__(self, guided: Guided, assignment: Assignment, room: Room) -> None:
        self.guided = guided
        self.assignment = assignment
        self.room = room
        self._written: dict[str, object] = {}
        """What Redis has: the revision of each field; empty when all must be written."""
        self._written_at = 0.0
        self._trouble = ""

    # Reading ----------------------------------------------------------------------------------------

    async def restore(self) -> bool:
        """Go on where an earlier lab of this room was; returns whether there was one.

        A field that no lab has written is ignored, and the log reports it.
        """
        try:
            found = await self.room.history.kept_lesson(names(self.guided), MOST_BYTES)
        except Unreachable as error:
            self._report(f"cannot be read: {why(error)}")
            return False
        if not found:
            return False
        try:
            place, way = read_place(found.pop(PLACE, b""), self.guided)
        except NotOurs as reason:
            self._report(f"is ignored: {reason}.")
            return False
        self.guided.restore(place, self._asked(found))
        self.assignment.way = way
        return True

    def _asked(self, found: dict[str, bytes]) -> dict[int, Asked]:
        asked = {}
        for place, stop in enumerate(self.guided.stops):
            if stop.question and (text := found.get(name_of(place))) is not None:
                try:
                    asked[place] = read_question(text, stop.question)
                except NotOurs as reason:
                    self._report(f"is ignored in part, the question {stop.question.name}: {reason}.")
        return asked

    def _report(self, what: str) -> None:
        logger.warning("The lesson in the Redis key %s:lesson %s", self.room.history.key, what)

    # Writing ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Write every change from now on."""
        self.room.tasks.keep(NAME, self._turn)

    async def close(self) -> None:
        """Write the last changes, because the lab closes."""
        await self.room.tasks.stop(NAME)
        await self.write()

    async def _turn(self) -> None:
        await asyncio.sleep(PAUSE_S)
        await self.write()

    def revisions(self) -> dict[str, object]:
        """The fields that the lesson has at this moment, each with what changes when it changes."""
        bets = self.guided.bets
        asked: dict[str, object] = {
            name_of(place): (bet.number, bet.revision) for place, bet in bets.items() if bet.number
        }
        return {PLACE: (self.guided.place, self.assignment.way)} | asked if bets else {}

    async def write(self) -> None:
        """Write what has changed; after an error, and where fields are gone, all of it."""
        now = self.revisions()
        if not self.room.reachable:
            self._written = {}
        if not (now and self.room.reachable):
            return
        whole = not self._written or not self._written.keys() <= now.keys()
        changed = [name for name in now if whole or self._written.get(name) != now[name]]
        if not changed and time.monotonic() - self._written_at < RENEW_S:
            return
        fields = {name: self._text(name) for name in changed or [PLACE]}
        self._written = {}
        try:
            kept = await self.room.history.keep_lesson(fields, whole)
        except Unreachable as error:
            return self._suffers(why(error))
        self._suffers("")
        self._written, self._written_at = now if kept == len(now) else {}, time.monotonic()

    def _text(self, name: str) -> bytes:
        if name == PLACE:
            return place_as_text(self.guided, self.assignment.way)
        place = int(name.rpartition(":")[2])
        return question_as_text(self.guided.bets[place], self.guided.seen.get(place))

    def _suffers(self, trouble: str) -> None:
        """Report why the lesson cannot be written, or that it can be again, once."""
        if trouble and trouble != self._trouble:
            logger.warning("The guided lesson goes on, but is not kept in Redis: %s", trouble)
        elif self._trouble and not trouble:
            logger.warning("The guided lesson is kept in Redis again.")
        self._trouble = trouble
