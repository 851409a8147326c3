"""One of several labs and the others: once a second each leaves a report in Redis, and reads theirs.

So presence is that of all labs, and a page sees the costs of its client wherever its requests went. A report
has the users at a lab, the clients whose costs a page at this lab shows, and the costs of those that others
ask for. One that has not changed for some seconds is from a lab that is away, and counts no more.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field

from lab.json_types import JsonObject
from lab.meters import Account
from lab.room.history import Unreachable
from lab.room.messages import compact
from lab.server.lesson.lesson import Lesson

EXCHANGE_S = 1.0
STALE_S = 4.0
NAME = "that exchanges reports with the other labs"
Key = tuple[str, str]
"""A client's id and its technique."""


@dataclass
class Report:
    """The last report of another lab, and when it was first seen."""

    text: bytes
    since: float
    here: list[JsonObject]
    asks: set[Key]
    costs: dict[Key, Account] = field(repr=False)

    @classmethod
    def read(cls, text: bytes, now: float) -> "Report":
        """Read a report that another lab has left."""
        fields = json.loads(text)
        asks = {(client, mode) for client, mode in fields["asks"]}
        costs = {(client, mode): Account(*both) for client, mode, *both in fields["costs"]}
        return cls(text, now, fields["here"], asks, costs)


class OtherLabs:
    """What the other labs have reported. A lab that is alone reports nothing."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.context = lesson.context
        self.front = self.context.settings.front
        self._reports: dict[int, Report] = {}
        self._turn = 0
        lesson.elsewhere = self
        if self.front and self.front.shared:
            self.context.room.tasks.keep(NAME, self._exchange)

    async def _exchange(self) -> None:
        await asyncio.sleep(EXCHANGE_S)
        assert self.front
        self._turn += 1
        with suppress(*Unreachable):  # the tail reports it
            found = await self.context.room.history.exchange(self.front.lab, compact(self._own()))
            self._read({number: text for number, text in found.items() if number != self.front.lab})

    def _own(self) -> JsonObject:
        """The report of this lab. Only clients that are here, or are asked for, keep an account."""
        self.lesson.credit()
        here = self.context.presence.here(_now())
        wanted = set().union(*(report.asks for report in self._fresh().values()))
        known = {user["client"] for user in here} | {client for client, _ in self.lesson.shown_costs | wanted}
        for key in [key for key in self.context.accounts if key[0] not in known]:
            del self.context.accounts[key]
        costs = [
            [*key, account.bytes_in, account.bytes_out]
            for key in wanted
            if (account := dict.get(self.context.accounts, key))
        ]
        return {"turn": self._turn, "here": here, "asks": sorted(self.lesson.shown_costs), "costs": costs}

    def _read(self, found: dict[int, bytes]) -> None:
        for number, text in found.items():
            if number not in self._reports or self._reports[number].text != text:
                self._reports[number] = Report.read(text, _now())

    def _fresh(self) -> dict[int, Report]:
        now = _now()
        return {n: report for n, report in self._reports.items() if now - report.since < STALE_S}

    # What others ask --------------------------------------------------------------------------

    def users(self) -> list[JsonObject]:
        """The users at the other labs."""
        return [user for report in self._fresh().values() for user in report.here]

    def cost(self, key: Key) -> Account:
        """The costs of this client at the other labs."""
        costs = [report.costs[key] for report in self._fresh().values() if key in report.costs]
        return Account(sum(one.bytes_in for one in costs), sum(one.bytes_out for one in costs))

    def serving(self, client: str) -> list[int]:
        """The numbers of the labs at which this client is, this one among them; empty for a lab alone."""
        if not self.front:
            return []
        own = {self.front.lab: self.context.presence.here(_now())}
        here = own | {number: report.here for number, report in self._fresh().items()}
        return sorted(number for number, users in here.items() if any(u["client"] == client for u in users))


def _now() -> float:
    return asyncio.get_running_loop().time()
