"""The cost of a technique in theory, in closed forms, to compare with a measured run.

λ is the messages per second in the room, D = 1/λ their distance when they are periodic, P what a short
poller waits after an answer, T how long a poll is held, W how long the run lasts. A message travels
L = link/2 + t, and asking again takes R = link + t: `link` is the round trip that `--rtt` adds, t what
the machine itself takes, one transit that is measured beforehand (`Exchange.transit`) and may be 0. It
counts once in each, because a message goes in on one way and out on the other, as a poll does.

N listeners are served one after the other, and messages wait for each other: `queueing` has the forms, and
`Exchange.work` what one listener costs, measured beforehand too. Where the idealisation ends: the lab and
the simulated clients have a processor each and nothing else runs on them; the work of the simulated link
is not counted. Every write leaves at once and alone (Nagle's algorithm is off on both sides of
the lab), nothing is lost on the way, and silent streams get no heartbeat (a few bytes every 15 s). A form
is an average over all timetables; a single one of n messages strays from it, by a share of about 1/√n at
most. That n is fixed where Poisson's would vary makes up to half a request more.
"""

from dataclasses import dataclass
from math import exp
from typing import NamedTuple

from lab.catalogue import TECHNIQUES
from lab.experiment.client_processes import largest_share
from lab.experiment.conditions import Conditions
from lab.experiment.queueing import NO_WORK, Work, poll_cycle, wait_for_earlier
from lab.experiment.variants import FRAMED
from lab.json_types import JsonObject
from lab.settings import KEPT


class Exchange(NamedTuple):
    """Bytes on the server's socket: of a request, of an empty response, and what each message adds.

    For a stream request and answer are those of its set-up. `transit` is the seconds from a message's
    planned send to its arrival at the only listener of a lab at rest: the time of clients, kernel, server and
    Redis without any link, in on one way and out on the other. `work` is what each listener costs where there
    are several.
    """

    request: float
    answer: float
    message: float
    transit: float = 0.0
    work: Work = NO_WORK


ZERO_COST = Exchange(0.0, 0.0, 0.0)


class Ideal(NamedTuple):
    """One listener in the long run: requests per second, share of empty responses, delay (s).

    `edges` are the requests that a run has beyond W times that, because it begins and ends. `waited_s` is the
    part of the delay in which a message waits for earlier ones, `load` the share of time in which the slower
    of the two processes is busy.
    """

    requests_per_s: float
    empty_share: float | None
    latency_mean_s: float | None
    latency_max_s: float | None
    edges: float = 1.0
    waited_s: float = 0.0
    load: float = 0.0


@dataclass(frozen=True)
class Prediction:
    """What a run should show: all listeners' requests and bytes, both ways, and the latency in seconds.

    `window_s` is how long the run counts: see `predict_run`. `latency_clients_s` is the part of the mean
    latency that is the simulated clients' own work; `load` is ρ, and from 1 on a stream has no steady state.
    None: theory has no answer.
    """

    mode: str
    requests: float
    bytes: float | None
    latency_mean_s: float | None
    latency_max_s: float | None
    empty_share: float | None
    requests_per_s: float
    window_s: float
    latency_clients_s: float | None = None
    load: float | None = None

    def as_json(self) -> JsonObject:
        """The predicted figures in a run's record."""
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "latency_mean_s": self.latency_mean_s,
            "latency_clients_s": self.latency_clients_s,
            "load": self.load,
        }


def ideal(mode: str, conditions: Conditions, weights: Exchange = ZERO_COST) -> Ideal:
    """One listener in the long run, without any measurement.

    The bytes in `weights` matter only on a link of limited bandwidth. Sources: each function below.
    """
    forms = {"ask": short_polling, "wait": long_polling, "stream": streaming}
    return forms[TECHNIQUES[mode].verb](conditions, weights)


def short_polling(conditions: Conditions, weights: Exchange = ZERO_COST) -> Ideal:
    """A short poller receives a message with its next request: on average half a cycle late.

    The timer starts when the answer is there, so polls reach the server every C = P + R (a new
    connection for each adds its handshake: C = P + 2R); N pollers wait for each other, see
    `queueing.poll_cycle`. A message meets the cycle at a moment that is
    uniform in it, for Poisson and for periodic messages alike, because the poller knows nothing of them:
    it waits C/2 on average and C at most, and then travels L.

    1/C requests per second. Empty is a poll with no message since the last: Poisson e^(−λC); periodic
    1 − C/D, and none once C ≥ D.

    Edges: the first request, and those of the time after W in which the last message is fetched (C + L)
    and the poller comes back (R): 1 + (C + L + R)/C.
    """
    away, travel = _away(conditions, weights), _travel(conditions, weights, weights.answer + weights.message)
    pause, work = conditions.interval + away, weights.work
    period = poll_cycle(pause, work.slower, conditions.clients)
    expected = conditions.rate * period
    empty = exp(-expected) if conditions.arrivals == "poisson" else max(0.0, 1 - expected)
    edges = 1 + (period + travel + away) / period
    busy = conditions.clients * work.slower / period
    return Ideal(1 / period, empty, period / 2 + travel, period + travel, edges, load=busy)


def long_polling(conditions: Conditions, weights: Exchange = ZERO_COST) -> Ideal:
    """A long poller receives a message at once, unless its next request is still on its way.

    After a message the next poll reaches the server R later (2 link + 2 t with a new connection for each). If
    there was a message meanwhile it is answered at once, else it is held until the next message or T. With
    N listeners a pass takes p = (N − 1) (work of the slower side) for all answers and requests, and then the
    first one is back: R = link + t + p. So a long poll pays for the answer and for the next request; an
    answer carries all that waits, so a steady state exists at any load: messages only wait longer, R/2 in the
    end.

    Poisson: no message comes in R with probability q = e^(−λR), and then the hold lasts min(Exp(λ), T), on
    average h = (1 − e^(−λT))/λ. So a cycle is C = R + qh. In it λR messages arrive while the listener is
    away and wait R/2 on average; all others wait for nothing. There are λC in all, and each is answered in
    the listener's turn: mean delay L + R²/(2C) + w (N − 1)/2. Empty are the answers to a cycle without a
    message: e^(−λ(R + T)). (For N listeners on an idle link this is M/D/1 with bulk service: what comes
    during a pass over the listeners is taken up together when it ends.)

    Periodic: with R < D every message meets a held poll, C = D and the delay is L + w (N − 1)/2. From R = D
    on a message has always come before the poll: C = R, and the wait is uniform in it, R/2 more (when R is no
    multiple of D). That knee, L = D/2, is the rule of Pimentel and Nickerson (2012). These hold while
    T ≥ D − R; shorter holds are answered empty every R + T.

    Longest delay, on an idle lab, 3L: the answer before, the next poll, the answer (RFC 6202 section 2.2).

    Edges: a run begins with a held poll (1 request) and ends when every message has arrived and a poll is
    held again, so every answer has been followed by a request. Answers up to W are those of a renewal process
    whose first cycle is only a hold: (W − h)/C + E[C²]/(2C²) on average, with E[C²] = R² + 2Rqh + q·2(1 −
    e^(−λT)(1 + λT))/λ². One more follows if at W something waits for the listener: it is away for R of each
    C, in the first (1 − q)/λ of it with nothing waiting yet, hence (R − (1 − q)/λ)/C. Periodic: W/D answers
    while R < D, else the first D/2 after the beginning and then one every R, until the last message has been
    fetched: (W − D)/R + 3/2.
    """
    away, travel = _away(conditions, weights), _travel(conditions, weights, weights.answer + weights.message)
    away += weights.work.one_pass(conditions.clients)
    last = weights.work.turn(conditions.clients)
    travel += last
    if conditions.arrivals == "periodic":
        return _periodic_long_polling(conditions, away, travel, last)
    rate, hold = conditions.rate, conditions.hold
    nothing, silent = exp(-rate * away), exp(-rate * hold)
    held = (1 - silent) / rate
    cycle = away + nothing * held
    square = away**2 + 2 * nothing * (away * held + (1 - silent * (1 + rate * hold)) / rate**2)
    edges = 1 + (square / (2 * cycle) - held + away - (1 - nothing) / rate) / cycle
    waited = away**2 / (2 * cycle)
    longest = travel + away + last
    return Ideal(1 / cycle, nothing * silent, travel + waited, longest, edges, waited)


def _periodic_long_polling(conditions: Conditions, away: float, travel: float, last: float) -> Ideal:
    distance, longest = 1 / conditions.rate, travel + away + last
    if away >= distance:
        edges = 2.5 - distance / away
        return Ideal(1 / away, 0.0, travel + away / 2, longest, edges, away / 2)
    if conditions.hold >= distance - away:
        return Ideal(conditions.rate, 0.0, travel, travel + last)
    cycle = away + conditions.hold
    waited = away**2 / (2 * cycle)
    return Ideal(1 / cycle, 1 - cycle / distance, travel + waited, longest, 1.0, waited)


def streaming(conditions: Conditions, weights: Exchange = ZERO_COST) -> Ideal:
    """A stream asks once and then receives every message one way later, when it is the listener's turn.

    No more requests; delay L + w (N − 1)/2, and with Poisson messages the wait for earlier ones,
    ρS/(2(1 − ρ)) (`queueing.wait_for_earlier`). From ρ = 1 on, and from the bandwidth on, the queue grows
    as long as the run lasts, and no form holds.
    """
    work, listeners = weights.work, conditions.clients
    travel = _travel(conditions, weights, weights.message)
    waited = wait_for_earlier(conditions.rate, work.service(listeners), conditions.arrivals)
    narrow = conditions.bandwidth and 8 * weights.message * conditions.rate >= conditions.bandwidth
    if narrow or waited is None:
        return Ideal(0.0, None, None, None)
    mean = travel + waited + work.turn(listeners)
    return Ideal(0.0, None, mean, mean + work.turn(listeners), waited_s=waited)


def _away(conditions: Conditions, weights: Exchange) -> float:
    """Seconds from sending a response to the arrival of the next request, at the server."""
    trips = 1 if conditions.keep_alive else 2
    moved = weights.request + weights.answer + weights.message
    return trips * (conditions.rtt + weights.transit) + _transmission(conditions, moved)


def _travel(conditions: Conditions, weights: Exchange, size: float) -> float:
    """Seconds that a message of so many bytes travels, from its publisher to the listener."""
    return conditions.rtt / 2 + weights.transit + _transmission(conditions, size)


def _transmission(conditions: Conditions, size: float) -> float:
    return 8 * size / conditions.bandwidth if conditions.bandwidth else 0.0


def predict_run(mode: str, conditions: Conditions, weights: Exchange) -> Prediction:
    """Predict a whole run, given the bytes and the time of one exchange.

    It counts every listener's first request, and then from the timetable's zero for W, the duration, and
    on until the last message can have arrived and the listener can have asked again. Requests are
    clients × (requests per second × W + edges), bytes requests × (request + empty answer) + deliveries ×
    what a message adds; the polls that are held at the end have no answer yet. The work of the simulated
    clients is divided among as many processes as the run has. No form here knows how well a message is
    compressed that refers back to earlier ones, nor how long it travels on a narrow link.
    """
    measured = weights.work != NO_WORK
    share = largest_share(conditions.clients, conditions.processes)
    weights = weights._replace(work=weights.work._replace(share=share))
    one = ideal(mode, conditions, weights)
    learns = mode == FRAMED and conditions.compress == KEPT
    latency = None if learns and conditions.bandwidth else one.latency_mean_s
    own = weights.work.of_clients(mode, conditions.clients, one.waited_s)
    busy = (
        one.load
        if TECHNIQUES[mode].verb == "ask"
        else conditions.rate * weights.work.service(conditions.clients)
    )
    known = latency is not None and measured
    requests = conditions.clients * (one.requests_per_s * conditions.duration + one.edges)
    held = conditions.clients if TECHNIQUES[mode].verb == "wait" else 0
    moved = requests * weights.request + (requests - held) * weights.answer
    moved += conditions.clients * conditions.messages * weights.message
    return Prediction(
        mode,
        requests,
        None if learns else moved,
        latency,
        one.latency_max_s,
        one.empty_share,
        one.requests_per_s,
        conditions.duration + (one.latency_max_s or 0.0) + _away(conditions, weights),
        own if known else None,
        busy if measured else None,
    )
