"""Did the simulated clients keep up? What a run cost those who measure it, and when that is too much.

A fleet that is busy all the time hears late, and a publisher that is late speaks late: then the latencies
say more about the laptop than about the lab. A run says so by itself.
"""

from collections.abc import Sequence

from lab.json_types import JsonObject
from lab.meters import summary

BUSY = 0.8
"""Share of one processor core from which on a fleet, which is one process, no longer hears at once."""
LATE_S = 0.010
"""How late the publisher may be in 95 of 100 cases; about what a busy desktop system delays anybody."""


def client_load(efforts: Sequence[dict[str, float]], late: Sequence[float]) -> JsonObject:
    """The share of a core that the fleet used, and how late the publisher was, in seconds.

    `efforts` are moments with the processor time used up to then; None when there are too few of them.
    """
    lateness = summary(late)
    return {
        "cpu_share": _share(efforts),
        "late_s": {name: lateness[name] for name in ("mean", "p95", "max")},
    }


def _share(efforts: Sequence[dict[str, float]]) -> float | None:
    if len(efforts) < 2 or efforts[-1]["t_s"] <= efforts[0]["t_s"]:
        return None
    first, last = efforts[0], efforts[-1]
    return (last["cpu_s"] - first["cpu_s"]) / (last["t_s"] - first["t_s"])


def warnings(found: JsonObject) -> list[str]:
    """What this machine could not hold, in words; empty when it could, or when nobody looked."""
    share, late = found.get("cpu_share"), found.get("late_s", {}).get("p95")
    words = []
    if share is not None and share > BUSY:
        words.append(f"the clients used {share:.0%} of a core: take fewer, or a lower rate")
    if late is not None and late > LATE_S:
        words.append(f"the publisher was {1000 * late:.0f} ms late (p95)")
    return words
