"""The meters: the cost of each technique, in each direction, counted and never estimated.

Other modules report facts ("so many bytes were sent", "this response was empty"), the meters add them up. A
meter does not know about HTTP, sockets or Redis.
"""

import time
from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from lab.catalogue import MODES
from lab.json_types import JsonObject

KEPT_SAMPLES = 8_192
"""Samples kept for the percentiles. The event loop sorts them for each report, which must take about a
millisecond."""

COUNTERS = (
    "requests",
    "empty",
    "connections",
    "frames_in",
    "frames_out",
    "messages",
    "bytes_in",
    "bytes_out",
    "head_bytes",
    "framing_bytes",
    "payload_bytes",
)


def percentile(ordered: "array[float]", share: float) -> float:
    """The smallest sample that at least this share of all samples does not exceed (nearest rank)."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def summary(samples: Iterable[float]) -> dict[str, float | None]:
    """Summarise durations in six figures: count, mean, p50, p95, p99 and max, in seconds.

    The percentiles come from the samples themselves. Without a sample everything but the count is None.
    """
    ordered = array("d", sorted(samples))
    if not ordered:
        return {"count": 0, "mean": None, "p50": None, "p95": None, "p99": None, "max": None}
    return {
        "count": len(ordered),
        "mean": sum(ordered) / len(ordered),
        "p50": percentile(ordered, 0.50),
        "p95": percentile(ordered, 0.95),
        "p99": percentile(ordered, 0.99),
        "max": ordered[-1],
    }


class Durations:
    """Durations in seconds: all are counted, the newest are kept for the percentiles."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.longest = 0.0
        self._kept = array("d")

    def add(self, samples: Collection[float]) -> None:
        """Add the samples of one batch; when there are too many, the older half is dropped."""
        if not samples:
            return
        kept = self._kept
        kept.extend(samples)
        if len(kept) > KEPT_SAMPLES:
            del kept[: -KEPT_SAMPLES // 2]
        self.count += len(samples)
        self.total += sum(samples)
        self.longest = max(self.longest, *samples)

    def as_json(self) -> dict[str, float | None]:
        """The six figures of `summary`; count, mean and max over all samples ever taken."""
        figures = summary(self._kept)
        if self.count:
            figures |= {"count": self.count, "mean": self.total / self.count, "max": self.longest}
        return figures


class Segments(NamedTuple):
    """How many TCP segments came in and went out, and the bytes of their headers of IP and TCP."""

    came: int = 0
    sent: int = 0
    head_bytes: int = 0

    def plus(self, other: "Segments", sign: int = 1) -> "Segments":
        """These and others; with `sign` −1 these without others."""
        return Segments(*(one + sign * two for one, two in zip(self, other, strict=True)))


@dataclass
class Account:
    """The bytes of one client, counted a second time for the page that shows its own costs."""

    bytes_in: int = 0
    bytes_out: int = 0


class Meter:
    """The cost of one technique in one direction: requests, connections, frames, messages, bytes, delivery.

    `head_bytes` are request lines, status lines and header blocks, `payload_bytes` the message objects
    themselves, and framing is all the rest of the bytes that passed.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.empty = 0
        self.connections = 0
        self.frames_in = 0
        self.frames_out = 0
        self.messages = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.head_bytes = 0
        self.payload_bytes = 0
        self.saved_bytes = 0
        """Bytes of payload that compression saved; 0 without compression."""
        self.delivery = Durations()
        self.segments = Segments()
        """TCP segments of connections while they are open; brought up to date when a report asks."""

    def reset(self) -> None:
        """Set all counts to zero."""
        vars(self).update(vars(Meter()))

    @property
    def framing_bytes(self) -> int:
        """All bytes that are neither head nor payload, the payload as it was sent."""
        return self.bytes_in + self.bytes_out - self.head_bytes - self.payload_bytes + self.saved_bytes

    def as_json(self) -> JsonObject:
        """The figures in the shape of the contract."""
        return {name: getattr(self, name) for name in COUNTERS} | {"delivery_s": self.delivery.as_json()}


class TechniqueMeters:
    """The two meters of one technique, and how many receive requests are open at this moment."""

    def __init__(self) -> None:
        self.open = 0
        self.receive = Meter()
        self.send = Meter()

    def as_json(self) -> JsonObject:
        """The figures in the shape of the contract."""
        return {"open": self.open, "receive": self.receive.as_json(), "send": self.send.as_json()}


class Meters:
    """All meters of one lab: each technique's, `other` for the rest, `total` for the socket itself."""

    def __init__(self) -> None:
        self.since = time.time()
        self.techniques = {mode: TechniqueMeters() for mode in MODES}
        self.other = Meter()
        self.total = Meter()
        self.encrypted = False
        """Whether the lab uses TLS, so that the bytes added by TLS are reported."""
        self.tls_bytes: int | None = 0
        """Bytes that TLS added to the total; None where the system does not report them."""

    def reset(self) -> None:
        """Set all counts to zero, except the number of open requests."""
        self.since = time.time()
        for both in self.techniques.values():
            both.receive.reset()
            both.send.reset()
        self.other.reset()
        self.total.reset()
        self.tls_bytes = self.tls_bytes and 0

    def as_json(self) -> JsonObject:
        """The figures in the shape of the contract; reading them changes nothing."""
        total = {name: getattr(self.total, name) for name in ("bytes_in", "bytes_out", "connections")}
        return {
            "since": self.since,
            "techniques": {mode: meters.as_json() for mode, meters in self.techniques.items()},
            "other": {"bytes_in": self.other.bytes_in, "bytes_out": self.other.bytes_out},
            "total": total | ({"tls_bytes": self.tls_bytes} if self.encrypted else {}),
        }
