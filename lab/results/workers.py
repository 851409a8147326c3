"""Runs whose listeners were on the workers of a cluster, as text: their clocks, and a figure that needs none.

A latency from one machine to another is the difference of two clocks. It is known only as well as the clocks
are, so a delay below that is marked as not known.
"""

from collections.abc import Sequence

from rich.text import Text

from lab.catalogue import TECHNIQUES
from lab.results.format import Unknown, count, seconds
from lab.results.rounds import Figure, by_mode, median_over_rounds
from lab.results.runs import Run

HEAD = f"\n{'':10}clocks agree  sent and received by one worker\n{'':10}within ±         p50    p99 messages"
ABOUT = "Delays that are not longer than the first figure are not known. One worker:\nafter the run, at rest."


def delay(rounds: Sequence[Run], value: float | None) -> str:
    """A delay as text: `Unknown` when it is not longer than the clocks may be apart."""
    text = seconds(value)
    return Unknown(text) if value is not None and 0 < value <= bound(rounds) else text


def bound(runs: Sequence[Run]) -> float:
    """How far the clocks of listeners and publisher may be apart, in the worst of these runs."""
    return max(run.clock_bound_s for run in runs)


def where(run: Run) -> str | None:
    """Where the listeners were, in a few words; None on this machine."""
    if not run.engine:
        return None
    number = len(run.engine["workers"])
    return f"listeners on {number} worker{'s' * (number > 1)} of {run.engine['address']}"


def workers(runs: Sequence[Run]) -> Text | None:
    """One line for each technique with the bound of its clocks and what the workers sent themselves."""
    remote = [run for run in runs if run.engine]
    if not remote:
        return None
    lines = [Text(HEAD, style="bold")]
    for mode, rounds in by_mode(remote).items():
        p50, p99 = (seconds(median_over_rounds(rounds, same_machine(name))) for name in ("p50", "p99"))
        messages = count(median_over_rounds(rounds, same_machine("count")))
        text = f"{mode:<10}{seconds(bound(rounds)):<12}{p50:>8}{p99:>7}{messages:>9}"
        lines.append(Text(text, style=TECHNIQUES[mode].dark))
    return Text("\n").join([*lines, Text(ABOUT)])


def same_machine(name: str) -> Figure:
    """One of the six figures of the messages that workers sent and received themselves."""
    return lambda run: (run.same_machine_latency_s or {}).get(name)


def ended(runs: Sequence[Run]) -> list[str]:
    """A line for each worker that ended in the middle of a run."""
    return [f"{run.mode}, round {run.round}: PARTIAL. {sentence}" for run in runs for sentence in run.ended]
