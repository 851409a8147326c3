"""Why a figure is what it is: sentences made from what was counted, and from nothing else.

A sentence is the key of a text and its values; `_s`, `_bytes`, `_share`, `title` and `titles` at the end of
a name state how the value is written. Each holds for every measurement that leads to it.
"""

from collections.abc import Callable
from typing import NamedTuple

from lab.catalogue import TECHNIQUES
from lab.json_types import JsonObject
from lab.server.lesson.counted import FIGURES, Counted
from lab.server.lesson.questions import Question
from lab.server.lesson.simulated_students import Plan

NEAR_ROUND_TRIP = 0.8, 1.3
"""How many round trips count as about one."""


class Seen(NamedTuple):
    """What was counted for one question, and under which conditions."""

    counted: dict[str, Counted]
    seconds: float
    rate: float | None = None
    """Messages per second in the room, as counted; None where the history was another one."""
    overloaded: bool = False
    """Whether the computer was overloaded."""
    plan: Plan | None = None
    """The simulated clients; None: there were none."""

    @property
    def rtt_s(self) -> float:
        """The simulated round trip in seconds."""
        return self.plan.rtt_ms / 1000 if self.plan else 0.0


def sentences(question: Question, seen: Seen, earlier: Seen | None = None) -> list[JsonObject]:
    """What to say about the answer; nothing where nothing was measured."""
    found = _about(question, seen, earlier)
    return [*found, sentence("overloaded")] if found and seen.overloaded else found


def about_proxy(failed: list[str]) -> list[JsonObject]:
    """What a trial of the proxy has shown."""
    return [sentence("fails", failed_titles=failed) if failed else sentence("fails.none")]


def _about(question: Question, seen: Seen, earlier: Seen | None) -> list[JsonObject]:
    if question.answer is not None:
        return [sentence(question.name, answer=question.answer)]
    if question.figure is None:
        return []
    if question.mode is None:
        return _costliest(question.figure, seen) + _order(question.figure, seen, earlier)
    counted = seen.counted[question.mode]
    if FIGURES[question.figure].of(counted) is None:
        return []
    return [ABOUT[question.figure](question.mode, seen)]


def sentence(name: str, **values: object) -> JsonObject:
    """A sentence: the key of its text, and its values."""
    return {"key": f"lesson.why.{name}", "values": values}


def _requests(mode: str, seen: Seen) -> JsonObject:
    counted = seen.counted[mode]
    values = {"requests": counted.requests, "empty": counted.empty, "time_s": seen.seconds}
    if TECHNIQUES[mode].verb == "stream":
        return sentence("requests.stream", **values)
    return sentence(f"requests.{'all' if counted.empty == counted.requests else 'some'}", **values)


def _bytes(mode: str, seen: Seen) -> JsonObject:
    counted = seen.counted[mode]
    parts = {"all": counted.bytes, "head": counted.head_bytes, "payload": counted.payload_bytes}
    sizes = {f"{name}_bytes": counted.per_message(size) for name, size in parts.items()}
    return sentence("bytes", mode_title=mode, requests=counted.per_message(counted.requests), **sizes)


def _slowest(mode: str, seen: Seen) -> JsonObject:
    counted = seen.counted[mode]
    values = {"slowest_s": counted.slowest_s, "messages": counted.messages, "rtt_s": seen.rtt_s}
    if not seen.rtt_s or TECHNIQUES[mode].verb != "wait":
        return sentence("slowest.near", **values)
    trips, (least, most) = counted.slowest_s / seen.rtt_s, NEAR_ROUND_TRIP
    values |= {"trips": trips, "there_s": counted.slowest_s + seen.rtt_s / 2}
    return sentence(f"slowest.{'less' if trips < least else 'more' if trips > most else 'one'}", **values)


def _useful(mode: str, seen: Seen) -> JsonObject:
    shares = measured("useful", seen)
    best = max(shares, key=shares.__getitem__)
    values = {"mode_title": mode, "mode_share": shares[mode]}
    if best == mode:
        return sentence("useful.best", **values)
    return sentence("useful", **values, best_title=best, best_share=shares[best])


ABOUT: dict[str, Callable[[str, Seen], JsonObject]] = {
    "requests": _requests,
    "bytes": _bytes,
    "slowest": _slowest,
    "useful": _useful,
}


def measured(figure: str, seen: Seen) -> dict[str, float]:
    """The figure of each technique for which it was measured."""
    found = {mode: FIGURES[figure].of(counted) for mode, counted in seen.counted.items()}
    return {mode: value for mode, value in found.items() if value is not None}


def _costliest(figure: str, seen: Seen) -> list[JsonObject]:
    """For bytes: the most and the least expensive technique, each with its requests for a message."""
    found = measured(figure, seen)
    if figure != "bytes" or len(found) < 2:
        return []
    values: JsonObject = {}
    for name, mode in (
        ("most", max(found, key=found.__getitem__)),
        ("least", min(found, key=found.__getitem__)),
    ):
        counted = seen.counted[mode]
        values |= {f"{name}_title": mode, f"{name}_bytes": found[mode]}
        values[f"{name}_requests"] = counted.per_message(counted.requests)
    return [sentence("costliest", **values)]


def _order(figure: str, seen: Seen, earlier: Seen | None) -> list[JsonObject]:
    """Whether the same technique was the first under the earlier conditions."""
    if not earlier or not earlier.rate or not seen.rate:
        return []
    now, before = measured(figure, seen), measured(figure, earlier)
    if len(now) < 2 or len(before) < 2:
        return []
    first, then = max(now, key=now.__getitem__), max(before, key=before.__getitem__)
    values = {"rate": seen.rate, "before_rate": earlier.rate, "first_title": first, "before_title": then}
    return [sentence("order.same" if first == then else "order.changed", **values)]
