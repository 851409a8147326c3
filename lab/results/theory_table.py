"""Prediction and measurement side by side, and the spread over rounds, as text for a terminal."""

from collections.abc import Callable, Sequence

from rich.text import Text

from lab.catalogue import TECHNIQUES
from lab.results.format import NOTHING, amount, count, late, off, seconds
from lab.results.rounds import Figure, Spread, by_mode, median_over_rounds, spread
from lab.results.runs import Run

GROUPS = "".join(f"{name:^23}" for name in ("requests", "bytes, both ways", "mean latency"))
HEAD = f"\n{'':10}{GROUPS.rstrip()}\n{'':10}" + 3 * f"{'theory':>8} measured {'off':>5}"
Format = Callable[[float | None], str]
Apart = Callable[[float | None, float | None], str]
FIGURES: tuple[tuple[str, Figure, Format, Apart], ...] = (
    ("requests", lambda run: run.receive["requests"], amount, off),
    ("bytes", lambda run: run.wire_bytes, amount, off),
    ("latency_mean_s", lambda run: run.latency_s["mean"], seconds, late),
)


COLUMNS = tuple(
    (group, *column)
    for group in ("requests", "bytes, both ways", "mean latency")
    for column in (("theory", 7), ("measured", 8), ("off", 5))
)
"""The group, the heading and the width of each figure."""


def pairs(rounds: Sequence[Run]) -> list[str]:
    """One technique's figures, as text: what was predicted, what was measured, how far apart."""
    cells = []
    for name, figure, mode, apart in FIGURES:
        predicted, measured = median_over_rounds(rounds, expected(name)), median_over_rounds(rounds, figure)
        cells += [mode(predicted), mode(measured), apart(measured, predicted)]
    return cells


def predictions(runs: Sequence[Run]) -> Text:
    """Prediction and measurement of each technique; medians over the rounds."""
    lines = [Text(HEAD, style="bold")]
    for mode, rounds in by_mode(runs).items():
        cells = "".join(f" {cell:>{size}}" for cell, (_, _, size) in zip(pairs(rounds), COLUMNS, strict=True))
        lines.append(Text(f" {mode:<9}{cells}", style=TECHNIQUES[mode].dark))
    return Text("\n").join(lines)


def expected(name: str) -> Figure:
    """One of the figures that were predicted."""
    return lambda run: run.predicted[name]


def spreads(runs: Sequence[Run]) -> Text | None:
    """The confidence intervals of the medians, when there was more than one round."""
    if all(len(rounds) < 2 for rounds in by_mode(runs).values()):
        return None
    rounds = runs[0].conditions["rounds"]
    lines = [Text(f"\nmedian over {rounds} rounds [95 % bootstrap interval over rounds]", style="bold")]
    for mode, those in by_mode(runs).items():
        latency = _spread(spread(those, lambda run: run.latency_s["p50"]), seconds)
        moved = _spread(spread(those, lambda run: run.per_delivery(run.wire_bytes)), count)
        lines.append(
            Text(f" {mode:<9} p50 {latency:<27} bytes/delivery {moved}", style=TECHNIQUES[mode].dark)
        )
    return Text("\n").join(lines)


def _spread(found: Spread | None, mode: Callable[[float | None], str]) -> str:
    if found is None:
        return NOTHING
    return f"{mode(found.median)} [{mode(found.low)}, {mode(found.high)}]"
