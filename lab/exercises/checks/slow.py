"""A user who reads nothing: the memory of the program does not grow, and no other user waits."""

import time
from statistics import median
from typing import Any

from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import frame, masked
from lab.exercises.steps import Trial, no_error

PATH = "/chat"
SIZE, TOGETHER, FEW = 4000, 20, 25
"""Characters of a message; messages that are sent at once; how often, where delays are compared."""
GROWTH_MB = 20


def exchange(trial: Trial) -> float:
    """A sends some messages, and A and B receive them; returns the seconds that it took."""
    a, b, text = trial.saved["a"], trial.saved["b"], trial.saved["text"]
    trial.within(trial.limits.step_s)
    since = time.monotonic()
    a.send(masked(text) * TOGETHER)
    for peer in (a, b):
        peer.expect(frame(text) * TOGETHER)
        peer.parts.clear()  # it would be all memory of the check
    return time.monotonic() - since


def receives(trial: Trial) -> None:
    """What A sends is received by A and B."""
    trial.saved |= {"a": trial.open(PATH), "b": trial.open(PATH), "text": trial.text(SIZE)}
    trial.saved["usual_s"] = median(exchange(trial) for _ in range(FEW))


def others(trial: Trial) -> None:
    """A third user reads nothing: A and B wait no longer than before."""
    program: Any = trial.program
    trial.saved |= {"slow": trial.open(PATH), "memory": program.memory_bytes}
    took = median(exchange(trial) for _ in range(FEW))
    if took > 2 * trial.saved["usual_s"] + trial.limits.prompt_s:
        raise Mismatch("waits", before=f"{trial.saved['usual_s']:.2f}", now=f"{took:.2f}")


def memory(trial: Trial) -> None:
    """Messages of 80 MB are sent, and the memory of the program grows by less than 20."""
    program: Any = trial.program
    count = trial.limits.large // TOGETHER
    for _ in range(count):
        exchange(trial)
    growth = (program.memory_bytes - trial.saved["memory"]) / 1e6
    if growth > GROWTH_MB:
        size = count * TOGETHER * SIZE / 1e6
        raise Mismatch("grows", growth=f"{growth:.0f}", most=GROWTH_MB, size=f"{size:.0f}")


def told(trial: Trial) -> None:
    """The slow user reads at last: its connection is closed, or a message says what it missed."""
    last = data = trial.saved["slow"].rest()
    while data:
        last, data = data, trial.saved["slow"].rest()
    if not trial.saved["slow"].over and b"missed" not in last:
        raise Mismatch("not_told")


STEPS = (receives, others, memory, told, no_error)
