"""What a technique cost while a question was counted, and the figures that answer a question.

Every figure is a count of the meters, or one count divided by another; None is "not measured", never 0.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from lab.meters import TechniqueMeters

SUMS = ("requests", "empty", "messages", "bytes", "head_bytes", "framing_bytes")
"""What grows with time, so that two moments can be subtracted."""


@dataclass(frozen=True)
class Counted:
    """The counts of one technique's receive requests, between two moments."""

    requests: int = 0
    empty: int = 0
    messages: int = 0
    bytes: int = 0
    head_bytes: int = 0
    framing_bytes: int = 0
    open: int = 0
    """Requests that are open at the end."""
    slowest_s: float = 0.0
    """The longest time from acceptance by the history to the socket, since the meters were reset."""

    @classmethod
    def of(cls, meters: TechniqueMeters) -> "Counted":
        """The counts since the meters were reset."""
        receive = meters.receive
        size = receive.bytes_in + receive.bytes_out
        counts = (receive.requests, receive.empty, receive.messages, size)
        return cls(*counts, receive.head_bytes, receive.framing_bytes, meters.open, receive.delivery.longest)

    def since(self, before: "Counted") -> "Counted":
        """What was counted after an earlier moment."""
        spent = {name: getattr(self, name) - getattr(before, name) for name in SUMS}
        return replace(self, **spent)

    @property
    def payload_bytes(self) -> int:
        """The bytes of the messages themselves, as they were sent."""
        return self.bytes - self.head_bytes - self.framing_bytes

    def per_message(self, count: int) -> float | None:
        """A count for each delivered message; None without a message."""
        return count / self.messages if self.messages else None


class Figure(NamedTuple):
    """A figure that can answer a question: its unit, the bounds of guesses, and how it is computed."""

    unit: str
    least: float
    most: float
    of: Callable[[Counted], float | None]


def _requests(counted: Counted) -> float | None:
    return counted.requests if counted.requests or counted.open else None


def _useful(counted: Counted) -> float | None:
    return counted.payload_bytes / counted.bytes if counted.messages and counted.bytes else None


COUNT = Figure("count", 1, 100_000, lambda counted: None)
"""A number that the question itself gives, so that nothing is counted."""
FIGURES = {
    "requests": Figure("count", 1, 100_000, _requests),
    "bytes": Figure("bytes", 10, 100_000, lambda counted: counted.per_message(counted.bytes)),
    "slowest": Figure("s", 0.001, 10, lambda counted: counted.slowest_s if counted.messages else None),
    "useful": Figure("share", 0.001, 1, _useful),
}
"""Requests in all; bytes for each message; the longest delivery; the share of the messages in all bytes."""
