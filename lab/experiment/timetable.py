"""The timetable: which message is sent when, drawn before the run so that nothing can change it.

A publisher that waits for its last message before it sends the next one slows down with the server
and measures only the good moments ("coordinated omission"). This one sends at the planned times.
"""

import random
from typing import NamedTuple

from lab.experiment.conditions import Conditions

ALPHABET = "abcdefghijklmnopqrstuvwxyz     "


class Planned(NamedTuple):
    """One message: its time in seconds after the start, and its body."""

    at: float
    body: str


def timetable(conditions: Conditions) -> list[Planned]:
    """All messages of a run in order: the same seed, the same timetable.

    `poisson` draws rate × duration moments at random, independent of each other; `periodic` spaces
    them evenly.
    """
    draw = random.Random(conditions.seed)
    return [Planned(at, _body(draw, conditions.payload)) for at in _moments(draw, conditions)]


def _moments(draw: random.Random, conditions: Conditions) -> list[float]:
    if conditions.arrivals == "periodic":
        return [(number + 0.5) / conditions.rate for number in range(conditions.messages)]
    return sorted(draw.uniform(0, conditions.duration) for _ in range(conditions.messages))


def _body(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(ALPHABET, k=length))
