"""The verdict on the messages of a measured run: the checker's findings as figures."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lab.child import RunFailed
from lab.experiment.check import BACKWARDS, DUPLICATE, LOST, SKIP, UNSEEN, Checker
from lab.experiment.records import Record, place, received
from lab.json_types import JsonObject

COUNTED = {LOST, UNSEEN, SKIP, DUPLICATE, BACKWARDS}
"""Anomalies that are figures of a run; a run with contradictions has no figures."""


class Verdict(NamedTuple):
    """Delivered, lost, doubled and unordered messages, summed over all listeners."""

    expected: int
    delivered: int
    lost: int
    duplicated: int
    out_of_order: int


def verdict(records: Iterable[Record]) -> Verdict:
    """Compare what each listener received with what was stored: each message once, in order.

    Raises `RunFailed` when two listeners received different messages at one place, or one a refused message.
    """
    every = list(records)
    checker = Checker(every)
    found = checker.violations()
    for violation in found:
        if violation.name not in COUNTED:
            raise RunFailed(f"The records contradict each other: {violation}.")
    names = [violation.name for violation in found]
    expected = len(checker.acked) * len(checker.places) + _of_closed(every, checker)
    delivered = sum(checker.deliveries[at] for at in checker.acked)
    return Verdict(expected, delivered, expected - delivered, names.count(DUPLICATE), names.count(BACKWARDS))


def _of_closed(records: Sequence[Record], checker: Checker) -> int:
    """Messages that were expected of listeners that have closed: those that they received."""
    closed = {record.client for record in records if record.kind == "close"}
    return sum(
        record.kind == "recv" and record.client in closed and record.at in checker.acked
        for record in records
        if closed
    )


def records_of(fleet: JsonObject, mode: str, start: str) -> Iterator[Record]:
    """The records of the clients, which began at `start`, from a report that has each event once."""
    for number, arrivals in enumerate(fleet["all_received"]):
        if str(number) in fleet.get("away", ()):  # it was not connected, so nothing counts as lost
            continue
        yield Record(0.0, str(number), mode, "open", *place(start))
        for which, moment in arrivals:
            yield received(moment, str(number), mode, fleet["events"][which])
        if number in fleet.get("ended", ()):  # its machine has ended: it expects nothing more
            yield Record(0.0, str(number), mode, "close")
