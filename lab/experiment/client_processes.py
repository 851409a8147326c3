"""In how many processes the simulated clients of a run work."""

import os

LEAST_EACH = 200
"""Listeners of one process before a second one is started."""
MOST_PROCESSES = 256


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usual(clients: int, available: int) -> int:
    """The usual number of processes: one for each `LEAST_EACH` listeners, and a core left for the lab.

    A process takes 0.4 s of a core and 36 MB before its first message. One of 200 WebSocket listeners spends
    about 10 ms on each message (50 µs for each of them), as long as the way to the first listener takes on a
    machine at work; two processes halved that part of the mean latency (of 20 ms on two busy cores, November
    2026). So fewer listeners than 200 each are not worth another process. One core is the lab's, so on two
    cores there is one process at any size.
    """
    return max(1, min(available - 1, clients // LEAST_EACH))


def largest_share(clients: int, processes: int) -> float:
    """The share of all clients that the largest of so many processes has."""
    return -(-clients // processes) / clients
