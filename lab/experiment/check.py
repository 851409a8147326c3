"""Was anything lost, doubled or out of order? Every listener's record is held against what was sent."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

Arrivals = Sequence[tuple[int, float]]
"""What one listener heard: the number in the history and the moment, in the order in which it came."""


class Verdict(NamedTuple):
    """What became of the messages, summed over all listeners."""

    expected: int
    delivered: int
    lost: int
    duplicated: int
    out_of_order: int

    @property
    def clean(self) -> bool:
        """Everything arrived once and in order."""
        return not (self.lost or self.duplicated or self.out_of_order)


def check(listeners: Sequence[Arrivals], stored: Mapping[int, str]) -> Verdict:
    """Hold what each listener heard against the messages that were stored, number -> mid.

    Each listener should hear each stored message once, and their numbers should only rise.
    """
    delivered = duplicated = out_of_order = 0
    for arrivals in listeners:
        heard = [n for n, _ in arrivals]
        distinct = set(heard)
        delivered += len(distinct & stored.keys())
        duplicated += len(heard) - len(distinct)
        out_of_order += sum(later < earlier for earlier, later in pairwise(heard))
    expected = len(stored) * len(listeners)
    return Verdict(expected, delivered, expected - delivered, duplicated, out_of_order)
