"""The exchange behind runs: what a request, a response and a message weigh, read from the meters.

A record holds what was predicted under its own conditions. A curve needs the same theory under other ones,
so the bytes of one exchange are read back from the meters, and the transit from the predicted latency.
"""

from collections.abc import Sequence
from statistics import linear_regression, median
from typing import Any

from lab.catalogue import TECHNIQUES
from lab.experiment.conditions import Conditions
from lab.experiment.prediction import ZERO_COST, Exchange, ideal
from lab.results.rounds import Figure as Reading
from lab.results.rounds import median_over_rounds
from lab.results.runs import Run

LONGEST_TRANSIT_S = 10.0
HALVINGS = 40
MESSAGES, LONGEST_S = 1000, 86_400
"""Messages of the long run that a curve is about, and its longest duration."""


def along(run: Run, **changed: Any) -> Conditions:
    """The run's conditions for one listener in the long run, with some of them changed.

    The turns of all listeners are in the transit.
    """
    rate = float(changed.get("rate") or run.conditions["rate"])
    return Conditions.of(
        run.conditions | {"duration_s": min(LONGEST_S, MESSAGES / rate)}, **({"clients": 1} | changed)
    )


def exchange_of(rounds: Sequence[Run]) -> Exchange:
    """The exchange of one technique, from all its runs; without a transit where none was predicted."""
    measured = [run for run in rounds if run.delivered and run.receive["requests"]]
    if not measured:
        return ZERO_COST
    transits = [transit for run in measured if (transit := _transit(run)) is not None]
    sizes = _of_stream(measured) if TECHNIQUES[measured[0].mode].verb == "stream" else _of_poll(measured)
    return Exchange(*sizes, median(transits) if transits else 0.0)


def _received(run: Run) -> float:
    return float(run.delivered / run.conditions["clients"])


def _of_stream(runs: Sequence[Run]) -> tuple[float, float, float]:
    """Bytes of a stream's head, of what else its response begins with, and of a message.

    The response may begin with more than a head (the iframe with a page). Runs with different numbers of
    messages tell the two apart: a straight line through all; one number of messages alone does not.
    """
    head = median(run.receive["head_bytes"] / run.conditions["clients"] for run in runs)
    points = [(_received(run), _body(run) / run.conditions["clients"]) for run in runs]
    most = max(points)
    if len({messages for messages, _ in points}) == 1:
        return head, 0.0, median(size for _, size in points) / most[0]
    slope, begins = linear_regression(*zip(*points, strict=True))
    return (head, begins, slope) if begins > 0 else (head, 0.0, most[1] / most[0])


def _body(run: Run) -> float:
    """All bytes of a stream after its head."""
    return float(run.receive["framing_bytes"] + run.transferred["payload"])


def _of_poll(runs: Sequence[Run]) -> tuple[float, float, float]:
    """Bytes of a request, of a response without messages, and of a message.

    What a response has around its messages (brackets, the cursor) is the response's.
    """
    asked = median(run.receive["bytes_in"] / run.receive["requests"] for run in runs)
    empty = [run.receive["bytes_out"] - run.transferred["payload"] for run in runs]
    answers = [max(1, run.receive["requests"] - held(run)) for run in runs]
    each = median(run.per_delivery(run.transferred["payload"]) or 0.0 for run in runs)
    return asked, median(size / number for size, number in zip(empty, answers, strict=True)), each


def held(run: Run) -> int:
    """Requests without a response when the run ends: one of each listener that waits."""
    clients: int = run.conditions["clients"]
    return clients if TECHNIQUES[run.mode].verb == "wait" else 0


def _transit(run: Run) -> float | None:
    """The transit with which theory gives the predicted latency of this run; found by halving."""
    predicted = run.predicted.get("latency_mean_s")
    if predicted is None:
        return None
    conditions, low, high = along(run), 0.0, LONGEST_TRANSIT_S
    for _ in range(HALVINGS):
        between = (low + high) / 2
        found = ideal(run.mode, conditions, ZERO_COST._replace(transit=between)).latency_mean_s
        low, high = (between, high) if found is not None and found < predicted else (low, between)
    return low


def bytes_per_message(mode: str, conditions: Conditions, weights: Exchange) -> float:
    """Theory: bytes on the wire for one delivered message in the long run, with the set-up left out."""
    polls = ideal(mode, conditions, weights).requests_per_s / conditions.rate
    return polls * (weights.request + weights.answer) + weights.message


def measured_per_message(weights: Exchange) -> Reading:
    """Measurement: the same of a run, whose bytes at its beginning and end are taken off."""

    def reading(run: Run) -> float | None:
        edges = edge_requests(run, weights)
        setup = run.conditions["clients"] * edges * (weights.request + weights.answer)
        return run.per_delivery(run.socket_bytes - setup + held(run) * weights.answer)

    return reading


def edge_requests(run: Run, weights: Exchange) -> float:
    """Requests of each listener beyond those of the long run: its first, and those at the end (theory)."""
    return ideal(run.mode, Conditions.of(run.conditions, clients=1), weights).edges


def message_itself(runs: Sequence[Run]) -> float | None:
    """Bytes of one message object, without anything around it."""
    return median_over_rounds(runs, lambda run: run.per_delivery(run.receive["payload_bytes"]))
