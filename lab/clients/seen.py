"""What a listener saw of the way to the lab: refusals by their status, close codes, streams that were cut."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from lab.clients.link import Refused, SentAway, SocketClosed
from lab.json_types import JsonObject


class Seen:
    """The failures of one listener, counted, and how often it sent another request after one."""

    __slots__ = ("_failed", "close_codes", "cuts", "reconnected", "silent", "statuses")

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        """Refused requests, by the status of the response."""
        self.close_codes: Counter[str] = Counter()
        """WebSockets that were closed, by their close code."""
        self.cuts = 0
        """Responses that ended although they should go on, and connections that broke off."""
        self.silent = 0
        """Requests that the listener gave up, because nothing arrived for too long."""
        self.reconnected = 0
        self._failed = False

    def ask(self) -> None:
        """A request is sent."""
        self.reconnected += self._failed
        self._failed = False

    def fail(self, error: Exception) -> None:
        """The request failed, or its connection has ended. A `bye` of the lab is no failure."""
        if isinstance(error, SentAway):
            return
        self._failed = True
        if isinstance(error, Refused):
            self.statuses[str(error.status)] += 1
        elif isinstance(error, SocketClosed):
            self.close_codes[str(error.code)] += 1
        elif isinstance(error, TimeoutError):
            self.silent += 1
        else:
            self.cuts += 1


def summed(listeners: Iterable[Seen]) -> JsonObject:
    """What all of them saw, in one set of counts."""
    all_seen = list(listeners)
    return {
        "statuses": _added(seen.statuses for seen in all_seen),
        "close_codes": _added(seen.close_codes for seen in all_seen),
        "cuts": sum(seen.cuts for seen in all_seen),
        "silent": sum(seen.silent for seen in all_seen),
        "reconnected": sum(seen.reconnected for seen in all_seen),
    }


def together(reports: Sequence[JsonObject]) -> JsonObject:
    """Several of these sets of counts as one; empty when none has arrived yet."""
    found = [report for report in reports if report]
    return {
        name: _added(report[name] for report in found)
        if isinstance(found[0][name], dict)
        else sum(report[name] for report in found)
        for name in (found[0] if found else ())
    }


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for some in counts:
        if some:  # of thousands of listeners few have failed
            total.update(some)
    return dict(total)
