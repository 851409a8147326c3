"""What a page in the room says about itself on `/live`, and what it is told: its costs, and the time."""

import time
from typing import Any

from lab.catalogue import WORDS
from lab.meters import Account
from lab.room.messages import compact
from lab.server.lesson.lesson import Lesson, Said, Watcher
from lab.techniques.stream import LONGEST_ID


class Guests:
    """The pages in the room that want to know what they cost."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.context = lesson.context
        self._keys: dict[Watcher, tuple[str, str]] = {}
        self._told: dict[Watcher, bytes] = {}
        lesson.heard |= {"client": self.begin, "hidden": self.hide, "clock": self.clock}
        lesson.pulses.append(self.pulse)
        lesson.left.append(self.forget)

    def begin(self, watcher: Watcher, said: Said) -> None:
        """`{"client","mode"}`: from now on count what this client's receiving by this technique costs."""
        self.forget(watcher)
        key = str(said.get("client", ""))[:LONGEST_ID], str(said.get("mode", ""))
        if key[0] and key[1] in WORDS:
            self.context.accounts[key] = Account()
            self._keys[watcher] = key
            watcher.tell(self._cost(key, begins=True))

    def hide(self, watcher: Watcher, said: Said) -> None:
        """`{"hidden"}`: this page went into the background, or came back."""
        if key := self._keys.get(watcher):
            self.context.presence.hide(key[0], said.get("hidden") is True)

    def clock(self, watcher: Watcher, said: Said) -> None:
        """`{"at"}`: the same back, with the time here, so that a page can tell how far its clock is off."""
        if isinstance(said.get("at"), int | float):
            watcher.tell(compact({"type": "clock", "at": said["at"], "time": time.time()}))

    def pulse(self) -> None:
        """Tell every such page what it has cost, when that has changed."""
        if self._keys:
            self.lesson.settle()
        for watcher, key in self._keys.items():
            cost = self._cost(key)
            if self._told.get(watcher) != cost:
                self._told[watcher] = cost
                watcher.tell(cost)

    def forget(self, watcher: Watcher) -> None:
        """The page has gone, or counts anew."""
        if key := self._keys.pop(watcher, None):
            self.context.accounts.pop(key, None)
            self.context.presence.hide(key[0], False)  # a page that closes is hidden last of all
        self._told.pop(watcher, None)

    def _cost(self, key: tuple[str, str], **more: Any) -> bytes:
        account = self.context.accounts.get(key) or Account()
        told = {"type": "cost", "mode": key[1], "bytes_in": account.bytes_in, "bytes_out": account.bytes_out}
        return compact(told | more)
