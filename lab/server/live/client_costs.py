"""Messages between a page in the room and `/live`: its visibility, its costs, and the server's time."""

import time
from typing import Any

from lab.catalogue import MODES
from lab.json_types import JsonObject
from lab.meters import Account
from lab.room.messages import compact
from lab.server.lesson.lesson import Fields, Lesson, LivePage
from lab.techniques.stream import LONGEST_ID


class ClientCosts:
    """The pages in the room that show their own costs."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.context = lesson.context
        self._keys: dict[LivePage, tuple[str, str]] = {}
        self._sent: dict[LivePage, bytes] = {}
        self._before: dict[tuple[str, str], Account] = {}
        """The costs at other labs when the count of this page began."""
        lesson.handlers |= {"client": self.begin, "hidden": self.hide, "clock": self.clock}
        lesson.before_tick.append(self.pulse)
        lesson.on_close.append(self.forget)

    def begin(self, page: LivePage, fields: Fields) -> None:
        """`{"client","mode"}`: start to count the receiving costs of this client by this technique."""
        self.forget(page)
        key = str(fields.get("client", ""))[:LONGEST_ID], str(fields.get("mode", ""))
        if key[0] and key[1] in MODES:
            self.context.accounts[key] = Account()
            self._keys[page] = key
            self._before[key] = self.lesson.elsewhere.cost(key)
            self.lesson.shown_costs.add(key)
            page.send(self._cost(key, begins=True))

    def hide(self, page: LivePage, fields: Fields) -> None:
        """`{"hidden"}`: this page went into the background, or returned."""
        if key := self._keys.get(page):
            self.context.presence.hide(key[0], fields.get("hidden") is True)

    def clock(self, page: LivePage, fields: Fields) -> None:
        """`{"at"}`: reply with the same and the server's time, so that a page can compute its clock's
        offset."""
        if isinstance(fields.get("at"), int | float):
            page.send(compact({"type": "clock", "at": fields["at"], "time": time.time()}))

    def pulse(self) -> None:
        """Send every such page its costs, when they have changed."""
        if self._keys:
            self.lesson.credit()
        for page, key in self._keys.items():
            cost = self._cost(key)
            if self._sent.get(page) != cost:
                self._sent[page] = cost
                page.send(cost)

    def forget(self, page: LivePage) -> None:
        """Stop counting for this page: it is closed, or restarts its count."""
        if key := self._keys.pop(page, None):
            self.context.accounts.pop(key, None)
            self._before.pop(key, None)
            self.lesson.shown_costs.discard(key)
            self.context.presence.hide(key[0], False)  # a page that closes is hidden last of all
        self._sent.pop(page, None)

    def _cost(self, key: tuple[str, str], **more: Any) -> bytes:
        account = self.context.accounts.get(key) or Account()
        there, before = self.lesson.elsewhere.cost(key), self._before.get(key, Account())
        fields: JsonObject = {
            "type": "cost",
            "mode": key[1],
            "bytes_in": account.bytes_in + max(0, there.bytes_in - before.bytes_in),
            "bytes_out": account.bytes_out + max(0, there.bytes_out - before.bytes_out),
        }
        if front := self.context.settings.front:
            fields |= {"lab": self.lesson.elsewhere.serving(key[0]), "labs": front.labs}
        return compact(fields | more)
