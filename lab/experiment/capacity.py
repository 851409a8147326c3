"""How many labs, how much memory and bandwidth so many listeners need, from what was measured of few.

A lab is one process on one core, so a lab is a core. It may be busy for a share of the time, its
`utilisation`; the rest is for bursts, because messages that come at random wait for each other
(`lab.experiment.queueing`). For N listeners, λ messages a second and r polls a second of each listener:

    processor       N × (λ × CPU of a message), or N × r × CPU of a poll      unit: cores
    labs            processor / utilisation, rounded up
    memory          N × memory of a connection + labs × memory of an empty lab
    bandwidth       8 × N × (λ × bytes of a message + r × bytes of a poll)
    last served     one lab's listeners × CPU of one message: so late is its last listener

r is theory (`lab.experiment.prediction`) for a lab with time to spare; the other constants are measured
(`lab.experiment.unit_costs`). Assumed, and not measured: labs do not slow each other down, and neither Redis
nor a balancer nor the network is the limit. Each lab's own work (reading each message from Redis, once) is
left out. Opening the connections is too: it is a load of its own when all come at once. So are heartbeats,
which a stream gets when nothing was sent for 15 s: with fewer than about 0.3 messages a second they matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil

from lab.catalogue import MODES, TECHNIQUES
from lab.errors import BadParameter
from lab.experiment.conditions import NUMBERS, Conditions
from lab.experiment.quantities import number, whole
from lab.experiment.unit_costs import Constant, UnitCosts, polls_per_s, unit_costs
from lab.results.rounds import by_mode
from lab.results.runs import Run, run_list

MOST_LISTENERS = 10**12
UTILISATION = 0.5
"""Share of the time in which a lab may be busy: then a message waits for earlier ones half as long as it is
served itself (M/D/1)."""
LEAST_UTILISATION = 0.01
ALIKE = ("payload", "headers", "keep_alive", "compress", "subprotocol", "proxy", "labs", "bandwidth")
"""Conditions in which all runs must agree, because bytes and processor time depend on them."""
HEAD = (
    "technique | labs of one core | memory, GiB | Gbit/s | Gbit/s with TCP/IP | segments/s"
    " | connections | last of a lab served after, s"
)
CONSTANTS_HEAD = "technique | constant | value | 95 % interval | from"


@dataclass(frozen=True)
class Need:
    """What one technique needs for all listeners; None is "not measured"."""

    mode: str
    polls_per_s: float
    """Of all listeners; 0 for a stream."""
    cores: float | None
    """Processor seconds per second."""
    labs: int | None
    memory_bytes: float | None
    bits_per_s: float | None
    wire_bits_per_s: float | None
    """With the headers of TCP and IP."""
    segments_per_s: float | None
    connections: int
    last_served_s: float | None
    """How long one message occupies a lab that has its full share of the listeners; None for short polls,
    which ask at their own times."""


@dataclass(frozen=True)
class Capacity:
    """What so many listeners need, by technique: `needs[mode]`, with the constants that it comes from."""

    listeners: int
    rate: float
    utilisation: float
    needs: dict[str, Need]
    costs: dict[str, UnitCosts] = field(repr=False)
    runs: list[Run] = field(repr=False)

    def rows(self) -> list[tuple[object, ...]]:
        """Rows for `lab.notebooks.table(lab.experiment.capacity.HEAD, …)`."""
        return [_row(need) for need in self.needs.values()]

    def constants(self) -> list[tuple[object, ...]]:
        """Each constant with its interval and its runs, for `table(CONSTANTS_HEAD, …)`."""
        return [
            (mode, name, _short(scale * found.value), _interval(scale, found), found.source)
            for mode, costs in self.costs.items()
            for name, scale, found in costs.constants()
        ]


def capacity(
    runs: Run | Iterable[Run],
    listeners: int = 1_000_000,
    rate: float | None = None,
    *,
    interval: float | None = None,
    hold: float | None = None,
    utilisation: float = UTILISATION,
) -> Capacity:
    """Compute what so many listeners need by each technique, from the unit costs that these runs measured.

    Runs with several numbers of listeners give processor time, those with `wire_bytes` the bytes with TCP/IP,
    and those that differ by 500 connections or more the memory. A figure that needs more is None.

    listeners: how many receive each message
    rate: messages per second in the room; None: as in the runs
    interval, hold: seconds of short and of long polling; None: as in the runs
    utilisation: share of the time in which a lab, which has one core, may be busy

    Cores are processor seconds per second, memory is in bytes, bandwidth in bits per second, both ways.
    Sources: M. Kerrisk, tcp(7) for segments; L. Kleinrock, Queueing Systems I (1975) for utilisation.

    Raises `BadParameter` for numbers that make no sense, for no runs, and for runs that cannot be combined.
    """
    known = run_list(runs)
    _check(known)
    listeners = whole("listeners", listeners, 1, MOST_LISTENERS)
    utilisation = number("utilisation", utilisation, LEAST_UTILISATION, 1)
    asked = {"rate": rate, "interval": interval, "hold": hold}
    wanted = {name: number(name, value, *NUMBERS[name]) for name, value in asked.items() if value is not None}
    conditions = _conditions(known, wanted)
    groups = by_mode(known)
    costs = {mode: unit_costs(mode, groups[mode]) for mode in MODES if mode in groups}
    needs = {mode: _need(one, listeners, conditions, utilisation) for mode, one in costs.items()}
    return Capacity(listeners, conditions.rate, utilisation, needs, costs, known)


def _check(runs: Sequence[Run]) -> None:
    """Raise `BadParameter` for runs that cannot be combined, or that measured more than a lab."""
    for name in ALIKE:
        values = {repr(run.conditions.get(name)) for run in runs}
        if len(values) > 1:
            raise BadParameter(
                f"Runs for a capacity must have the same {name}; these have {', '.join(sorted(values))}."
            )
    if runs[0].conditions.get("proxy"):
        raise BadParameter("Runs for a capacity must be of one lab without a proxy.")


def _conditions(runs: Sequence[Run], wanted: dict[str, float]) -> Conditions:
    """The conditions of the run that delivered most, with what was wanted, for one listener."""
    most = max(runs, key=lambda run: run.delivered)
    plain = {name: most.conditions[f"{name}_s"] for name in ("interval", "hold", "rtt")}
    changed = plain | {"rate": most.conditions["rate"], "payload": most.conditions["payload"]} | wanted
    return Conditions(clients=1, duration=1 / changed["rate"], **changed)


def _need(costs: UnitCosts, listeners: int, conditions: Conditions, utilisation: float) -> Need:
    rate, polls = conditions.rate, polls_per_s(costs.mode, conditions)
    each = costs.cpu_s(rate, polls)
    cores = None if each is None else listeners * each
    labs = None if cores is None else max(1, ceil(cores / utilisation))
    asks = TECHNIQUES[costs.mode].verb == "ask"
    return Need(
        mode=costs.mode,
        polls_per_s=listeners * polls,
        cores=cores,
        labs=labs,
        memory_bytes=_memory(costs, listeners, labs),
        bits_per_s=_times(8 * listeners, costs.bytes_per_s(rate, polls)),
        wire_bits_per_s=_times(8 * listeners, costs.wire_bytes_per_s(rate, polls)),
        segments_per_s=_times(listeners, costs.segments_per_s(rate, polls)),
        connections=listeners,
        last_served_s=None if asks or labs is None or cores is None else cores / labs / rate,
    )


def _times(number: float, figure: float | None) -> float | None:
    return None if figure is None else number * figure


def _memory(costs: UnitCosts, listeners: int, labs: int | None) -> float | None:
    if costs.connection_bytes is None or costs.lab_bytes is None or labs is None:
        return None
    return listeners * costs.connection_bytes.value + labs * max(0.0, costs.lab_bytes.value)


def _row(need: Need) -> tuple[object, ...]:
    return (
        need.mode,
        need.labs,
        _times(2**-30, need.memory_bytes),
        _times(1e-9, need.bits_per_s),
        _times(1e-9, need.wire_bits_per_s),
        None if need.segments_per_s is None else round(need.segments_per_s),
        need.connections,
        need.last_served_s,
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _interval(scale: float, found: Constant) -> str | None:
    if found.low is None or found.high is None:
        return None
    return f"{_short(scale * found.low)} to {_short(scale * found.high)}"
