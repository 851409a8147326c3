"""What a technique costs for each message, poll and connection, read from runs; each constant with its run.

Processor time is the slope over numbers of listeners at one rate, so the lab's own work is not in it. For a
stream it is that of a delivered message. For polls it is that of a poll, which brings more or fewer messages:
each rate that was measured gives one point, and nothing is said of polls outside of what was measured.

Bytes are those of one exchange (`lab.experiment.weights`), without the set-up of a connection. With the
headers of TCP and IP they are known where the kernel has counted the segments. Loopback has segments of up to
64 kB; on a usual link an answer of more than 1,448 bytes takes one more for each 1,448.

What was not measured is None.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from lab.catalogue import TECHNIQUES
from lab.experiment.conditions import Conditions
from lab.experiment.prediction import ideal
from lab.experiment.weights import exchange_of, held
from lab.results.per_message import segments_of
from lab.results.rounds import Figure, Spread, median_over_rounds
from lab.results.runs import Run
from lab.results.slope import at_zero, connections, slope

HANDSHAKE = 3
"""Segments that open a connection: SYN, SYN-ACK, ACK."""
HANDSHAKE_OPTIONS = 16
"""Bytes of options that SYN and SYN-ACK together have beyond those of other segments."""
MEMORY_SPAN = 500
"""Memory is given out in blocks: with fewer connections between the largest and the smallest run the slope
would be chance."""
NEAR = 0.1
"""A poll that brings so much more or fewer messages than a measured one, as a share, costs the same."""


class Constant(NamedTuple):
    """A unit cost: its value, its interval over rounds where there were several, and where it is from."""

    value: float
    low: float | None
    high: float | None
    source: str
    """The runs and their conditions."""


class PollCost(NamedTuple):
    """Processor time of one poll that brings so many messages on average (theory)."""

    messages: float
    cpu_s: Constant


class UnitCosts(NamedTuple):
    """The constants of one technique. Seconds, bytes and segments; None is "not measured"."""

    mode: str
    message_cpu_s: Constant | None
    """Of a stream, for a delivered message."""
    poll_cpu_s: tuple[PollCost, ...]
    """Of polls, for each rate that was measured, from few messages to many."""
    message_bytes: Constant | None
    poll_bytes: Constant | None
    message_segments: Constant | None
    poll_segments: Constant | None
    segment_bytes: Constant | None
    """Headers of TCP and IP in a segment."""
    connection_bytes: Constant | None
    """Memory of the server for a connection."""
    lab_bytes: Constant | None
    """Memory of a lab without listeners."""

    def cpu_s(self, rate: float, polls: float) -> float | None:
        """Processor seconds per second for a listener: λ messages, r polls; None where not measured."""
        if TECHNIQUES[self.mode].verb == "stream":
            return None if self.message_cpu_s is None else rate * self.message_cpu_s.value
        each = _between(self.poll_cpu_s, rate / polls)
        return None if each is None else polls * each

    def bytes_per_s(self, rate: float, polls: float) -> float | None:
        """Bytes per second for a listener, both ways, as a program sees them."""
        return _sum((rate, self.message_bytes), (polls, self.poll_bytes))

    def segments_per_s(self, rate: float, polls: float) -> float | None:
        """Segments per second for a listener, both ways."""
        return _sum((rate, self.message_segments), (polls, self.poll_segments))

    def wire_bytes_per_s(self, rate: float, polls: float) -> float | None:
        """Bytes per second for a listener with the headers of TCP and IP."""
        moved, segments = self.bytes_per_s(rate, polls), self.segments_per_s(rate, polls)
        if moved is None or segments is None or self.segment_bytes is None:
            return None
        return moved + segments * self.segment_bytes.value

    def constants(self) -> list[tuple[str, float, Constant]]:
        """What was measured: its name with a unit that reads well, the scale to that unit, and itself."""
        polls = [
            (f"CPU for a poll with {one.messages:.2f} messages, µs", 1e6, one.cpu_s)
            for one in self.poll_cpu_s
        ]
        named = [
            ("CPU for a delivered message, µs", 1e6, self.message_cpu_s),
            *polls,
            ("bytes for a message", 1.0, self.message_bytes),
            ("bytes for a poll", 1.0, self.poll_bytes),
            ("segments for a message", 1.0, self.message_segments),
            ("segments for a poll", 1.0, self.poll_segments),
            ("TCP/IP headers in a segment, bytes", 1.0, self.segment_bytes),
            ("memory for a connection, KiB", 2.0**-10, self.connection_bytes),
            ("memory of an empty lab, MiB", 2.0**-20, self.lab_bytes),
        ]
        return [(name, scale, found) for name, scale, found in named if found is not None and found.value]


def _sum(*parts: tuple[float, Constant | None]) -> float | None:
    """Numbers times their constants, added up; a constant that is not needed may be missing."""
    needed = [(number, found) for number, found in parts if number]
    known = [number * found.value for number, found in needed if found is not None]
    return sum(known) if len(known) == len(needed) else None


def _between(points: Sequence[PollCost], messages: float) -> float | None:
    """The cost of a poll with so many messages, on the line between two measured ones."""
    for one in points:
        if abs(messages / one.messages - 1) <= NEAR:
            return one.cpu_s.value
    for low, high in pairwise(points):
        if low.messages < messages < high.messages:
            share = (messages - low.messages) / (high.messages - low.messages)
            return low.cpu_s.value + share * (high.cpu_s.value - low.cpu_s.value)
    return None


def unit_costs(mode: str, runs: Sequence[Run]) -> UnitCosts:
    """The constants of one technique from its runs."""
    stream = TECHNIQUES[mode].verb == "stream"
    cpu = _processor(mode, runs)
    moved, counted = _bytes(runs), _segments(runs)
    memory = _memory(runs)
    return UnitCosts(
        mode,
        cpu[-1].cpu_s if stream and cpu else None,
        () if stream else tuple(cpu),
        moved and moved[0],
        None if stream else moved and moved[1],
        (counted and counted[0]) if stream else _nothing(counted),
        None if stream else counted and counted[0],
        counted and counted[1],
        memory and memory[0],
        memory and memory[1],
    )


def polls_per_s(mode: str, conditions: Conditions) -> float:
    """How often a listener polls in the long run (theory); a stream never does."""
    return ideal(mode, conditions).requests_per_s


def _processor(mode: str, runs: Sequence[Run]) -> list[PollCost]:
    """Processor time for a poll, or a delivered message, at each rate with two numbers of listeners."""
    counted = _delivered if TECHNIQUES[mode].verb == "stream" else _polls
    found: dict[float, PollCost] = {}
    for those in _alike(run for run in runs if run.server_cpu_s is not None):
        spread = slope(those, counted, lambda run: run.server_cpu_s)
        if spread is not None:
            alone = Conditions.of(those[0].conditions, clients=1)
            polls = polls_per_s(mode, alone)
            messages = alone.rate / polls if polls else alone.rate
            found[messages] = PollCost(messages, _constant(spread, those))
    return [found[messages] for messages in sorted(found)]


def _alike(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs whose conditions differ in nothing but the number of listeners (and of rounds)."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        conditions = {
            name: run.conditions[name] for name in sorted({*run.conditions} - {"clients", "rounds"})
        }
        groups.setdefault(repr(conditions), []).append(run)
    return list(groups.values())


def _delivered(run: Run) -> float:
    return run.delivered


def _polls(run: Run) -> float:
    """Polls of the measured time: each listener's first comes before it."""
    return float(run.receive["requests"] - run.conditions["clients"])


def _bytes(runs: Sequence[Run]) -> tuple[Constant, Constant] | None:
    """Bytes of a message, and of a poll without one."""
    known = [run for run in runs if run.delivered and run.receive["requests"]]
    if not known:
        return None
    exchange = exchange_of(known)
    source = described(known)
    return (
        Constant(exchange.message, None, None, source),
        Constant(exchange.request + exchange.answer, None, None, source),
    )


def _segments(runs: Sequence[Run]) -> tuple[Constant, Constant] | None:
    """Segments of a delivered message or of a poll, and the bytes of headers in each.

    A poll that is held when the run ends has sent half of its segments. A stream has more than the handshake
    to set up; runs with other numbers of messages tell that apart, and one number alone does not.
    """
    known = [run for run in runs if run.segments and run.wire_bytes is not None and run.delivered]
    if not known:
        return None
    headers = median(_headers(run) / (segments_of(run) or 1) for run in known)
    source = described(known)
    if TECHNIQUES[known[0].mode].verb == "stream":
        each = slope(known, _messages, _segments_of_listener) or _spread(known, _of_delivery)
    else:
        each = _spread(known, _of_poll)
    return None if each is None else (_constant(each, known), Constant(headers, None, None, source))


def _headers(run: Run) -> float:
    """Bytes of all headers of TCP and IP, without the options that only a handshake has."""
    return float((run.wire_bytes or 0) - run.socket_bytes - HANDSHAKE_OPTIONS * run.conditions["clients"])


def _messages(run: Run) -> float:
    return float(run.delivered / run.conditions["clients"])


def _after_handshake(run: Run) -> float:
    return float((segments_of(run) or 0) - HANDSHAKE * run.conditions["clients"])


def _segments_of_listener(run: Run) -> float:
    return float(_after_handshake(run) / run.conditions["clients"])


def _of_delivery(run: Run) -> float:
    return _after_handshake(run) / run.delivered


def _of_poll(run: Run) -> float:
    return float(_after_handshake(run) / (run.receive["requests"] - held(run) / 2))


def _spread(runs: Sequence[Run], figure: Figure) -> Spread | None:
    value = median_over_rounds(runs, figure)
    return None if value is None else Spread(value, None, None, len(runs))


def _nothing(counted: tuple[Constant, Constant] | None) -> Constant | None:
    """Messages travel in the segments of the poll, so they add none."""
    return counted and Constant(0.0, None, None, counted[0].source)


def _memory(runs: Sequence[Run]) -> tuple[Constant, Constant] | None:
    """Memory of a connection and of a lab without any, where the numbers of connections differ most."""
    groups = _alike(run for run in runs if run.server_rss_bytes is not None and run.receive["connections"])
    known = max(groups, key=_span, default=[])
    if _span(known) < MEMORY_SPAN:
        return None
    each = slope(known, connections, lambda run: run.server_rss_bytes)
    none = at_zero(known, connections, lambda run: run.server_rss_bytes)
    return None if each is None or none is None else (_constant(each, known), _constant(none, known))


def _span(runs: Sequence[Run]) -> float:
    sizes = [connections(run) for run in runs]
    return max(sizes) - min(sizes) if sizes else 0.0


def _constant(spread: Spread, runs: Sequence[Run]) -> Constant:
    return Constant(spread.median, spread.low, spread.high, described(runs))


def described(runs: Sequence[Run]) -> str:
    """The runs that a constant is from: what was measured, and under which conditions."""
    numbers = [
        f"{_range(runs, name)} {words}"
        for name, words in (("clients", "listeners"), ("rate", "messages/s"), ("payload", "characters"))
    ]
    rounds = len({run.round for run in runs})
    return ", ".join([runs[0].mode, *numbers, f"{rounds} round{'s' if rounds > 1 else ''}"])


def _range(runs: Sequence[Run], name: str) -> str:
    values = sorted({run.conditions[name] for run in runs})
    return (
        " and ".join(f"{value:,g}" for value in values)
        if len(values) < 3
        else (f"{values[0]:,g} to {values[-1]:,g}")
    )
