"""A page sees the bytes of its own sends, and of no others: the messages `mine` and `bytes` on `/live`.

A page chooses the `mid` of a message, and claims it (`{"type":"mine","mid"}`) before it sends. Until the
message is published only this page knows the mid, so the first claim is its own; a mid that was sent already
cannot be claimed. Then `{"type":"bytes","mid"}` is answered by `{"type":"bytes","mid","parts","left_out",
"units"}`, or by an error with the same type and mid.
"""

import asyncio

from lab.errors import BadParameter, Forbidden, LabError, NotFound
from lab.json_types import JsonObject
from lab.room.messages import compact, mid_of
from lab.server.lesson.lesson import Fields, Lesson, LivePage
from lab.techniques.refusals import error_json

MOST_CLAIMS = 20
"""Claims of one page; an older one is forgotten."""
AGAIN_S, TRIES = 0.05, 100
"""How often an answer is offered to a page that is still receiving something else."""


class OwnSends:
    """The pages that have claimed mids, and the mids of each."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.sends = lesson.context.sends
        self._owners: dict[str, LivePage] = {}
        self._mids: dict[LivePage, dict[str, None]] = {}
        self._answers: dict[LivePage, asyncio.Task[None]] = {}
        lesson.handlers |= {"mine": self.claim, "bytes": self.ask}
        lesson.on_close.append(self.forget)

    def claim(self, page: LivePage, fields: Fields) -> None:
        """`{"mid"}`: this page is about to send the message with this mid."""
        mid = lower_mid(fields)
        if mid is None:
            return refuse(page, "error", None, BadParameter("mid must be the UUID of a message."))
        if self._owners.get(mid) is page:
            return
        if mid in self._owners or self.sends.knows(mid):
            return refuse(page, "error", mid, Forbidden("A message can be claimed once, before it is sent."))
        self._owners[mid] = page
        mids = self._mids.setdefault(page, {})
        mids[mid] = None
        if len(mids) > MOST_CLAIMS:
            oldest = next(iter(mids))
            del mids[oldest], self._owners[oldest]

    def ask(self, page: LivePage, fields: Fields) -> None:
        """`{"mid"}`: reply with the bytes of the message that this page has sent."""
        mid = lower_mid(fields)
        if mid is None:
            return refuse(page, "bytes", None, BadParameter("mid must be the UUID of a message."))
        if self._owners.get(mid) is not page:
            return refuse(page, "bytes", mid, Forbidden("A page sees the bytes of its own messages only."))
        if page not in self._answers:  # else this page has not received its last answer yet
            self._answers[page] = asyncio.create_task(self._reply(page, mid))
            self._answers[page].add_done_callback(lambda _: self._answers.pop(page, None))

    async def _reply(self, page: LivePage, mid: str) -> None:
        found = await self.sends.as_json(mid)
        if found is None:
            answer = error_answer("bytes", mid, NotFound("The bytes of this message are no longer kept."))
        else:
            answer = compact({"type": "bytes", "mid": mid} | found)
        for _ in range(TRIES):
            if page not in self._mids or page.send(answer):
                return
            await asyncio.sleep(AGAIN_S)

    def forget(self, page: LivePage) -> None:
        """The page is closed: nothing is its own any more."""
        for mid in self._mids.pop(page, {}):
            del self._owners[mid]


def lower_mid(fields: Fields) -> str | None:
    """The mid in a page's message, as it is stored."""
    mid = mid_of(fields)
    return mid and mid.lower()


def error_answer(type_: str, mid: str | None, error: LabError) -> bytes:
    """An error about a mid, as a message to a page."""
    about: JsonObject = {"type": type_, "mid": mid}
    return compact(about | error_json(error, 400, False))


def refuse(page: LivePage, type_: str, mid: str | None, error: LabError) -> None:
    """Send an error about a mid."""
    page.send(error_answer(type_, mid, error))
