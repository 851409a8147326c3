"""The rate limit for the sends of one client."""

import math

from lab.errors import TooManySends

BURST_S = 2.0
"""Seconds of sends at the full rate that a client may save up."""


class SendRate:
    """A token bucket per client: it fills at the limit's rate, and each send removes one token."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, client: str, now: float) -> None:
        """Use one token. Raises `TooManySends` when this client's bucket is empty."""
        most = max(1.0, self.rate * BURST_S)
        left, then = self._buckets.get(client, (most, now))
        left = min(most, left + (now - then) * self.rate) if self.rate < math.inf else most
        if left < 1:
            raise TooManySends(f"More than {self.rate:g} messages per second; wait a moment.")
        self._buckets[client] = (left - 1, now)
        if len(self._buckets) > 10_000:  # a full bucket needs no entry
            self._buckets = {c: b for c, b in self._buckets.items() if now - b[1] < BURST_S}
