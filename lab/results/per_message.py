"""Figures of runs for each delivered message, and runs by what they spoke and how they were compressed."""

from collections.abc import Callable, Iterable, Sequence

from lab.results.rounds import median_over_rounds
from lab.results.runs import Run

NONE = "none"
"""The name of a run without compression."""


def by_subprotocol(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """The runs of each subprotocol that were compressed as the conditions ask for."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        if run.subprotocol and run.compress in (None, run.conditions["compress"]):
            found.setdefault(run.subprotocol, []).append(run)
    return found


def by_compression(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """The runs of each way to compress, in the subprotocol that the conditions ask for."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        if run.compress is not None and run.subprotocol == run.conditions.get("subprotocol"):
            found.setdefault(str(run.compress or NONE), []).append(run)
    return found


def bytes_per_delivery(runs: Sequence[Run]) -> float | None:
    """All bytes of receiving per delivered message."""
    return median_over_rounds(runs, lambda run: run.per_delivery(run.socket_bytes))


def payload_per_delivery(run: Run) -> float | None:
    """The bytes of the messages themselves, per delivered message."""
    return run.per_delivery(run.receive["payload_bytes"])


def cpu_per_delivery(run: Run) -> float | None:
    """Seconds of the server's processor time, per delivered message."""
    return run.per_delivery(run.server_cpu_s)


def memory_per_client(run: Run) -> float | None:
    """By how many bytes the server's memory has grown for each client; None when it was not measured."""
    clients: int = run.conditions["clients"]
    return None if run.server_rss_growth_bytes is None else run.server_rss_growth_bytes / clients


def segments_of(run: Run) -> int | None:
    """The TCP segments of a run, both ways; None where they are not known."""
    return run.segments["in"] + run.segments["out"] if run.segments else None


def part(name: str) -> Callable[[Run], float | None]:
    """A part of the bytes, per delivered message."""
    return lambda run: run.per_delivery(run.receive[f"{name}_bytes"])


def transferred(name: str) -> Callable[[Run], float | None]:
    """The same as it crossed the wire: of the payload the bytes that compression left."""
    return lambda run: run.per_delivery(run.transferred[name])
