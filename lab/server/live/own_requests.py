"""A page sees the bytes of its own receive requests, also while another listener has the lane.

A page makes up a UUID, sends `{"type":"follow","as":…}` on `/live`, and after the answer
`{"type":"followed"}` it listens under this name as its username, without a client id. Presence does not show
such a listener, so only this page knows the name. Then `{"type":"own","lane":…}` is answered by
`{"type":"own","lane","parts","left_out","units"}` of its newest request by that technique, without `parts`
while there is none.
"""

import asyncio
from collections import deque

from lab.catalogue import MODES
from lab.lanes.capture import Capture
from lab.lanes.newest import with_message
from lab.room.messages import UUID, compact
from lab.server.lesson.lesson import Fields, Lesson, LivePage

MOST_PAGES = 100
"""Pages that are followed at a time; a class of 200 does not look at bytes all at once."""
KEPT_REQUESTS = 8


class OwnRequests:
    """The pages that are followed, and the name of each."""

    def __init__(self, lesson: Lesson) -> None:
        self.recorder = lesson.context.recorder
        self._names: dict[LivePage, str] = {}
        self._answers: dict[LivePage, asyncio.Task[None]] = {}
        lesson.handlers |= {"follow": self.follow, "own": self.ask}
        lesson.on_close.append(self.forget)

    def follow(self, page: LivePage, fields: Fields) -> None:
        """`{"as"}`: keep the bytes of the requests of this name, for this page."""
        name = fields.get("as")
        self.forget(page)
        if not isinstance(name, str) or not UUID.fullmatch(name) or name in self.recorder.followed:
            return
        if len(self._names) < MOST_PAGES:
            self._names[page] = name
            self.recorder.followed[name] = deque(maxlen=KEPT_REQUESTS)
            page.send(compact({"type": "followed"}))

    def ask(self, page: LivePage, fields: Fields) -> None:
        """`{"lane"}`: reply with the page's newest request by this technique, dissected in a thread."""
        mode = fields.get("lane")
        if mode in MODES and page in self._names and page not in self._answers:
            kept = [one for one in self.recorder.followed[self._names[page]] if one.mode == mode]
            self._answers[page] = asyncio.create_task(self._reply(page, str(mode), kept))
            self._answers[page].add_done_callback(lambda _: self._answers.pop(page, None))

    async def _reply(self, page: LivePage, mode: str, kept: list[Capture]) -> None:
        found = await asyncio.to_thread(with_message, kept)
        page.send(compact({"type": "own", "lane": mode} | (found or {})))  # one that is busy asks again

    def forget(self, page: LivePage) -> None:
        """The page is closed, or listens under another name."""
        self.recorder.followed.pop(self._names.pop(page, None), None)
