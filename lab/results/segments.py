"""TCP segments as text: how many packets a delivered message takes, and its bytes with their headers."""

from collections.abc import Sequence

from rich.text import Text

from lab.catalogue import TECHNIQUES
from lab.results.format import count
from lab.results.per_message import segments_of
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run

HEADING = "\nper delivered message, with the headers\nof TCP and IP: segments, bytes"


def packets(runs: Sequence[Run]) -> Text | None:
    """A line for each technique whose segments are known; None when none are."""
    lines = [_line(mode, rounds) for mode, rounds in by_mode(runs).items() if _known(rounds)]
    return Text("\n").join([Text(HEADING, style="bold"), *lines]) if lines else None


def _known(rounds: Sequence[Run]) -> bool:
    return any(run.segments and run.delivered for run in rounds)


def _line(mode: str, rounds: Sequence[Run]) -> Text:
    segments = median_over_rounds(rounds, lambda run: run.per_delivery(segments_of(run)))
    whole = median_over_rounds(rounds, lambda run: run.per_delivery(run.wire_bytes))
    return Text(f" {mode:<10}{segments or 0:8.2f} {count(whole):>8}", style=TECHNIQUES[mode].dark)
