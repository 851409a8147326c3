"""What listeners saw through a proxy, as text: statuses, close codes, cuts and what was held back."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.text import Text

from lab.catalogue import TECHNIQUES
from lab.json_types import JsonObject
from lab.results.rounds import by_mode
from lab.results.runs import Run

NO_ERROR = "no error"


def proxied(runs: Sequence[Run]) -> Text | None:
    """One line for each technique with what its listeners saw, all rounds together; None without a proxy."""
    through = [run for run in runs if run.proxy]
    if not through:
        return None
    lines = [Text(f"\nseen through {_name(through[0])}", style="bold")]
    for mode, rounds in by_mode(through).items():
        lines.append(Text(f"{mode:<10}{seen(rounds)}", style=TECHNIQUES[mode].dark))
    return Text("\n").join(lines)


def _name(run: Run) -> str:
    version = run.proxy["version"] if run.proxy else None
    return f"{version}, {run.conditions['proxy']}"


def seen(rounds: Iterable[Run]) -> str:
    """What the listeners of these runs saw, as `504 ×3 · reconnected 3`."""
    total: Counter[str] = Counter()
    for run in rounds:
        if run.proxy:
            total.update(dict(_counts(run.proxy["seen"])))
        if run.refused:
            return f"refused: {run.refused.partition(':')[0]}"
    return " · ".join(_phrase(name, count) for name, count in total.items() if count) or NO_ERROR


def _counts(found: JsonObject) -> Iterable[tuple[str, int]]:
    yield from found.get("statuses", {}).items()
    yield from ((f"close {code}", count) for code, count in found.get("close_codes", {}).items())
    for name in ("cuts", "silent", "reconnected", "held_back"):
        yield WORDS[name], found.get(name, 0)


WORDS = {"cuts": "cut", "silent": "silent", "reconnected": "reconnected", "held_back": "held back"}


def _phrase(name: str, count: int) -> str:
    return f"{name} {count}" if name in (WORDS["reconnected"], WORDS["held_back"]) else f"{name} ×{count}"
