"""Did the simulated clients keep up? The load of clients and publisher, and when it is too high.

Clients that are always busy receive late, and a late publisher sends late: then the latencies are those of
this computer, not of the lab. A run reports this itself.
"""

from collections.abc import Sequence

from lab.json_types import JsonObject
from lab.meters import summary

BUSY = 0.8
"""Share of one processor core above which the clients, which are one process, receive late."""
LATE_S = 0.010
"""Limit for the 95th percentile of the publisher's delay; a busy desktop system delays about so much."""


def client_load(efforts: Sequence[dict[str, float]], late: Sequence[float]) -> JsonObject:
    """The share of a core that the clients used, and the publisher's delay, in seconds.

    `efforts` are moments with the processor time used up to then; None when there are too few of them.
    """
    lateness = summary(late)
    return {
        "cpu_share": _share(efforts),
        "late_s": {name: lateness[name] for name in ("mean", "p95", "max")},
    }


def own_work(latencies: Sequence[float], receive: JsonObject, outside: float | None) -> float | None:
    """The part of a run's mean latency that is the simulated clients' own work, in seconds.

    It is what is left without the server's part, from acceptance to socket, which the server's meter has, and
    without what is `outside` of both: sending and the way. None when one of them was not measured.
    """
    handed = receive["delivery_s"]["mean"]
    if handed is None or outside is None or not latencies:
        return None
    return float(max(0.0, sum(latencies) / len(latencies) - handed - outside))


def _share(efforts: Sequence[dict[str, float]]) -> float | None:
    if len(efforts) < 2 or efforts[-1]["t_s"] <= efforts[0]["t_s"]:
        return None
    first, last = efforts[0], efforts[-1]
    return (last["cpu_s"] - first["cpu_s"]) / (last["t_s"] - first["t_s"])


def warnings(found: JsonObject) -> list[str]:
    """Sentences about conditions that this machine could not keep; empty when it could, or if not
    measured."""
    share, late = found.get("cpu_share"), found.get("late_s", {}).get("p95")
    words = []
    if share is not None and share > BUSY:
        words.append(f"the clients used {share:.0%} of a core: take fewer, or a lower rate")
    if late is not None and late > LATE_S:
        words.append(f"the publisher was {1000 * late:.0f} ms late (p95)")
    return words
