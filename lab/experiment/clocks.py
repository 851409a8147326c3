"""The clocks of two machines: what both call now, and how sure that is.

One asks "what time is it" and the other answers. The answer was given between the question and its arrival,
whatever each way took, so it bounds the difference of the clocks; the shortest round trip bounds it best
(Cristian 1989, as in NTP: RFC 5905 section 8).
"""

from collections.abc import Iterable
from typing import NamedTuple

MOST_DRIFT = 0.0005
"""By this share of the time at most a clock is slewed (adjtimex(2): 500 parts per million)."""


class RoundTrip(NamedTuple):
    """One question: when it was sent and answered by our clock, and the answer by theirs, in seconds."""

    sent: float
    theirs: float
    came: float


class Difference(NamedTuple):
    """Their clock minus ours, in seconds: it lies between these two."""

    low: float = 0.0
    high: float = 0.0

    @property
    def offset(self) -> float:
        """The best guess: half-way between both ends."""
        return (self.low + self.high) / 2

    @property
    def bound(self) -> float:
        """How far the guess may be off, either way."""
        return (self.high - self.low) / 2

    def ours(self, theirs: float) -> float:
        """A moment of their clock by ours."""
        return theirs - self.offset

    def with_later(self, later: "Difference") -> "Difference":
        """The difference between two comparisons, if one clock gained on the other steadily."""
        return Difference(min(self.low, later.low), max(self.high, later.high))

    def after(self, seconds: float) -> "Difference":
        """The difference so many seconds later, without a second comparison: the clocks may have drifted."""
        drift = MOST_DRIFT * max(0.0, seconds)
        return Difference(self.low - drift, self.high + drift)


def difference(trips: Iterable[RoundTrip]) -> Difference:
    """The difference of two clocks, by the shortest of these round trips."""
    shortest = min(trips, key=lambda trip: trip.came - trip.sent)
    return Difference(shortest.theirs - shortest.came, shortest.theirs - shortest.sent)
