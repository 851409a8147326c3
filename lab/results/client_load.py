"""Did the simulated clients keep up? The load of clients and publisher, and when it is too high.

Clients that are always busy receive late, and a late publisher sends late: then the latencies are those of
this computer, not of the lab. A run reports this itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lab.json_types import JsonObject
from lab.meters import summary

BUSY = 0.5
"""Share of one processor core above which a process of clients receives late: from there on a message waits
for earlier ones at least half as long as it takes itself (M/D/1)."""
CLIENTS_LATE_S = 0.1
"""Limit for the 95th percentile of the delay of a process's timer: one message keeps it busy for less."""
LATE_S = 0.010
"""Limit for the 95th percentile of the publisher's delay; a busy desktop system delays about so much."""


class Efforts(NamedTuple):
    """What one process of simulated clients has reported of itself, and how many clients it has.

    Each moment has the time `t_s` and the processor time `cpu_s` up to then; `late` are the delays of its
    timer.
    """

    clients: int
    moments: list[dict[str, float]]
    late: list[float]


def client_load(processes: Sequence[Efforts], late: Sequence[float]) -> JsonObject:
    """The shares of a core that all clients and each process used, the delays, in seconds, and warnings.

    `late_s` is the publisher's delay, and in each process that of its timer. None: not measured, because
    there are too few moments.
    """
    each = [_load(process) for process in processes]
    shares = [load["cpu_share"] for load in each]
    found = {
        "cpu_share": sum(shares) if shares and None not in shares else None,
        "late_s": _delays(late),
        "processes": each,
    }
    return found | {"warnings": warnings(found)}


def _load(process: Efforts) -> JsonObject:
    share, late = _share(process.moments), _delays(process.late)
    return {"clients": process.clients, "cpu_share": share, "late_s": late}


def _delays(late: Sequence[float]) -> JsonObject:
    lateness = summary(late)
    return {name: lateness[name] for name in ("mean", "p95", "max")}


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
    measured. Each names the process of clients that it is about, if there are several."""
    late = found.get("late_s", {}).get("p95")
    each = found.get("processes", [found])  # older runs have one process and no list
    words = [text for number, load in enumerate(each, 1) for text in _of_process(load, number, len(each))]
    if late is not None and late > LATE_S:
        words.append(f"the publisher was {1000 * late:.0f} ms late (p95)")
    return words


def _of_process(load: JsonObject, number: int, processes: int) -> list[str]:
    who = f"client process {number} of {processes}" if processes > 1 else "the client process"
    share, words = load.get("cpu_share"), []
    late = load["late_s"]["p95"] if "clients" in load else None
    if share is not None and share > BUSY:
        words.append(f"{who} used {share:.0%} of a core: take fewer clients, or a lower rate")
    if late is not None and late > CLIENTS_LATE_S:
        words.append(f"{who} was {1000 * late:.0f} ms late (p95 of its timer)")
    return words
