"""What each of several labs did in a run, as text: its share of the requests, and its processor time."""

from collections.abc import Sequence

from rich.text import Text

from lab.catalogue import TECHNIQUES
from lab.json_types import JsonObject
from lab.results.format import percent, seconds
from lab.results.rounds import by_mode
from lab.results.runs import Run


def each_lab(runs: Sequence[Run]) -> Text | None:
    """One line for each technique, all its rounds together; None for runs of one lab."""
    of_several = [run for run in runs if run.labs]
    if not of_several:
        return None
    lines = [Text("\neach lab: messages that it delivered, processor time", style="bold")]
    for mode, rounds in by_mode(of_several).items():
        lines.append(Text(f"{mode:<10}{shares(rounds)}", style=TECHNIQUES[mode].dark))
    return Text("\n").join(lines)


def shares(rounds: Sequence[Run]) -> str:
    """As `lab 1 50% 0.12 s · lab 2 50% 0.11 s`."""
    labs = [_added(of_one) for of_one in zip(*(run.labs or () for run in rounds), strict=True)]
    total = sum(lab["messages"] for lab in labs)
    parts = (
        f"lab {number} {percent(lab['messages'] / total if total else None)} {seconds(lab['cpu_s'])}"
        for number, lab in enumerate(labs, 1)
    )
    return " · ".join(parts)


def _added(of_one: Sequence[JsonObject]) -> JsonObject:
    return {name: sum(found[name] for found in of_one) for name in ("messages", "cpu_s")}
