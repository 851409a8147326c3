"""The rate limit for the sends of one client."""

import math

from lab.errors import TooManySends

BURST_S = 2.0
"""Seconds of sends at the full rate that a client may save up."""
FEW = 100
"""Buckets that are always kept; only among more of them are full ones removed."""


class SendRate:
    """A token bucket per client: it fills at the limit's rate, and each send removes one token."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._buckets: dict[str, tuple[float, float]] = {}
        self._most = FEW

    def take(self, client: str, now: float) -> None:
        """Use one token. Raises `TooManySends` when this client's bucket is empty."""
        if self.rate == math.inf:
            return
        most = max(1.0, self.rate * BURST_S)
        left, then = self._buckets.get(client, (most, now))
        left = min(most, left + (now - then) * self.rate)
        if left < 1:
            raise TooManySends(f"More than {self.rate:g} messages per second; wait a moment.")
        self._buckets[client] = (left - 1, now)
        if len(self._buckets) > self._most:
            self._forget_full(most, now)

    def _forget_full(self, most: float, now: float) -> None:
        """Remove full buckets, which need no entry; until there are twice as many, do not look again."""
        buckets = self._buckets.items()
        self._buckets = {
            c: (left, then) for c, (left, then) in buckets if left + (now - then) * self.rate < most
        }
        self._most = max(FEW, 2 * len(self._buckets))

    @property
    def kept(self) -> int:
        """How many buckets are kept."""
        return len(self._buckets)
