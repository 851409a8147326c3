"""What theory says a technique costs, in closed forms. A measured run is held against it.

R is the round trip of the link, L = R/2 one way, λ the messages per second in the room, D = 1/λ their
distance when they are periodic, P what a short poller waits after an answer, T how long a poll is held.

Where the idealisation ends: the server answers in no time (a processor that is busy adds queues that
no form here knows), every write leaves at once and alone (Nagle's algorithm is off on both sides of
the lab), nothing is lost on the way, and silent streams get no heartbeat (one of a few bytes every 15 s).
"""

from dataclasses import dataclass
from math import exp
from typing import Any, NamedTuple

from lab.catalogue import TECHNIQUES
from lab.experiment.conditions import Conditions
from lab.experiment.exchange import WEIGHTLESS, Exchange
from lab.experiment.timetable import timetable


class Ideal(NamedTuple):
    """One listener's fate in the long run: requests per second, share of empty answers, delay (s)."""

    requests_per_s: float
    empty_share: float | None
    latency_mean_s: float | None
    latency_max_s: float | None


@dataclass(frozen=True)
class Prediction:
    """What a run should show: all listeners' requests and bytes, both ways, and the latency in seconds.

    `window_s` is how long the run counts; see `lab.experiment.measure`. None: theory has no answer.
    """

    mode: str
    requests: float
    bytes: float
    latency_mean_s: float | None
    latency_max_s: float | None
    empty_share: float | None
    requests_per_s: float
    window_s: float

    def as_json(self) -> dict[str, Any]:
        """The three figures that a run carries beside its own."""
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "latency_mean_s": self.latency_mean_s,
        }


def ideal(mode: str, conditions: Conditions, weights: Exchange = WEIGHTLESS) -> Ideal:
    """One listener in the long run, without any measurement.

    `weights` (bytes) matter only on a link of limited bandwidth. Source of the forms: each function below.
    """
    forms = {"ask": short_polling, "wait": long_polling, "stream": streaming}
    return forms[TECHNIQUES[mode].verb](conditions, weights)


def short_polling(conditions: Conditions, weights: Exchange = WEIGHTLESS) -> Ideal:
    """A short poller hears of a message when it happens to ask: on average half a cycle late.

    The timer starts when the answer is there, so polls reach the server every C = P + R (a new
    connection for each adds its handshake: C = P + 2R). A message meets the cycle at a moment that is
    uniform in it, for Poisson and for periodic messages alike, because the poller knows nothing of them:
    it waits C/2 on average and C at most, and then travels L.

    1/C requests per second. Empty is a poll with no message since the last: Poisson e^(−λC); periodic
    1 − C/D, and none once C ≥ D.
    """
    away, travel = _away(conditions, weights), _travel(conditions, weights.answer + weights.message)
    cycle = conditions.interval + away
    expected = conditions.rate * cycle
    empty = exp(-expected) if conditions.arrivals == "poisson" else max(0.0, 1 - expected)
    return Ideal(1 / cycle, empty, cycle / 2 + travel, cycle + travel)


def long_polling(conditions: Conditions, weights: Exchange = WEIGHTLESS) -> Ideal:
    """A long poller hears of a message at once, unless it is just on its way to ask again.

    After an answer the next poll reaches the server R later (2R with a new connection for each). If
    something was said meanwhile it is answered at once, else it is held until the next message or T.

    Poisson: nothing is said in R with probability e^(−λR), and then the hold lasts min(Exp(λ), T), on
    average (1 − e^(−λT))/λ. So a cycle is C = R + e^(−λR)(1 − e^(−λT))/λ. In it λR messages arrive while
    the listener is away and wait R/2 on average; all others wait for nothing. There are λC in all:
    mean delay L + R²/(2C). Empty are the answers to a cycle in which nothing is said: e^(−λ(R + T)).

    Periodic: with R < D every message meets a held poll, C = D and the delay is L. From R = D on a
    message has always come before the poll: C = R, and the wait is uniform in it, L + R/2 (when R is no
    multiple of D). That knee, L = D/2, is the rule of Pimentel and Nickerson (2012). These hold while
    T ≥ D − R; shorter holds are answered empty every R + T.

    Longest delay 3L: the answer before, the next poll, the answer (RFC 6202 section 2.2).
    """
    away, travel = _away(conditions, weights), _travel(conditions, weights.answer + weights.message)
    if conditions.arrivals == "periodic":
        return _periodic_long_polling(conditions, away, travel)
    rate, hold = conditions.rate, conditions.hold
    cycle = away + exp(-rate * away) * (1 - exp(-rate * hold)) / rate
    mean = travel + away**2 / (2 * cycle)
    return Ideal(1 / cycle, exp(-rate * (away + hold)), mean, travel + away)


def _periodic_long_polling(conditions: Conditions, away: float, travel: float) -> Ideal:
    distance = 1 / conditions.rate
    if away >= distance:
        return Ideal(1 / away, 0.0, travel + away / 2, travel + away)
    if conditions.hold >= distance - away:
        return Ideal(conditions.rate, 0.0, travel, travel)
    cycle = away + conditions.hold
    return Ideal(1 / cycle, 1 - cycle / distance, travel + away**2 / (2 * cycle), travel + away)


def streaming(conditions: Conditions, weights: Exchange = WEIGHTLESS) -> Ideal:
    """A stream asks once and then hears every message one way later: no more requests, delay L.

    Holds for any arrivals as long as the bandwidth does; above it the queue grows and no form holds.
    """
    travel = _travel(conditions, weights.message)
    if conditions.bandwidth and 8 * weights.message * conditions.rate >= conditions.bandwidth:
        return Ideal(0.0, None, None, None)
    return Ideal(0.0, None, travel, travel)


def _away(conditions: Conditions, weights: Exchange) -> float:
    """Seconds between an answer's leaving the server and the next request's arrival there."""
    trips = 1 if conditions.keep_alive else 2
    moved = weights.request + weights.answer + weights.message
    return trips * conditions.rtt + _transmission(conditions, moved)


def _travel(conditions: Conditions, size: float) -> float:
    """Seconds from the server to the listener, for so many bytes."""
    return conditions.rtt / 2 + _transmission(conditions, size)


def _transmission(conditions: Conditions, size: float) -> float:
    return 8 * size / conditions.bandwidth if conditions.bandwidth else 0.0


def foretell(mode: str, conditions: Conditions, weights: Exchange) -> Prediction:
    """What a whole run should show, given what one exchange weighs.

    It counts from the timetable's zero to its end, or until the last message has been heard if that is
    later, and every listener's first request. Bytes = requests × (request + empty answer) + deliveries ×
    what a message adds; the polls that are still held at the end have no answer yet.
    """
    one = ideal(mode, conditions, weights)
    plan = timetable(conditions)
    window = max(conditions.duration, plan[-1].at + (one.latency_max_s or 0.0))
    requests = conditions.clients * (1 + one.requests_per_s * window)
    held = conditions.clients if TECHNIQUES[mode].verb == "wait" else 0
    moved = requests * weights.request + (requests - held) * weights.answer
    moved += conditions.clients * len(plan) * weights.message
    return Prediction(
        mode,
        requests,
        moved,
        one.latency_mean_s,
        one.latency_max_s,
        one.empty_share,
        one.requests_per_s,
        window,
    )
