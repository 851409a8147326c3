"""The faults of a proxy that a class can see: for each the switches of the fault and those of its cure.

Some are cured in the proxy, others in the lab: by a hold and a pause between heartbeats below the timeout.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lab.proxy.switches import GOOD, Switches, parse

HOLD_S, HEARTBEAT_S = 25.0, 15.0
"""What the lab has by itself."""


class Setup(NamedTuple):
    """One trial: the switches of the proxy, the hold and heartbeat (s) of each lab, and how many labs."""

    switches: Switches
    hold: float = HOLD_S
    heartbeat: float = HEARTBEAT_S
    labs: int = 1

    @property
    def key(self) -> str:
        """One text for each different trial."""
        several = f" labs={self.labs}" if self.labs > 1 else ""
        return f"{self.switches} hold={self.hold:g}s heartbeat={self.heartbeat:g}s{several}"


class Lesson(NamedTuple):
    """A fault with its number in the list of failures, and its cure."""

    number: int
    fault: Setup
    cure: Setup


def _lesson(number: int, fault: str, cure: str = GOOD, hold: float = HOLD_S, labs: int = 1) -> Lesson:
    heartbeat = HEARTBEAT_S if hold == HOLD_S else hold
    return Lesson(number, Setup(parse(fault), labs=labs), Setup(parse(cure), hold, heartbeat, labs))


LESSONS = {
    "host": _lesson(5, "host=off"),
    "timeout": _lesson(1, "timeout=3s", "timeout=3s", hold=1.0),
    "buffering": _lesson(2, "buffering=on,http=1.0"),
    "upgrade": _lesson(3, "upgrade=off"),
    "http": _lesson(3, "http=1.0"),
    "always": _lesson(4, "upgrade=always"),
    "idle": _lesson(7, "idle=3s", "idle=3s", hold=1.0),
    "gzip": _lesson(8, "buffering=on,gzip=on", "gzip=on"),
    "retry": _lesson(6, "timeout=2s,retry=on", "timeout=2s,retry=on", hold=1.0, labs=2),
    "balance": _lesson(9, "balance=ip_hash", "balance=hash", labs=2),
}
"""By name, in the order of teaching: a wrong Host hides all other faults."""


def setups() -> Iterator[Setup]:
    """Every different trial of the lessons."""
    yield from dict.fromkeys(setup for lesson in LESSONS.values() for setup in (lesson.fault, lesson.cure))
