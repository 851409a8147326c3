"""Prediction and measurement side by side, and the spread over rounds, as text for a terminal."""

from collections.abc import Callable, Sequence

from rich.text import Text

from lab.catalogue import TECHNIQUES
from lab.results.format import NOTHING, amount, count, late, off, percent, seconds
from lab.results.rounds import Figure, Spread, by_mode, median_over_rounds, spread
from lab.results.runs import Run

GROUPS = "".join(f"{name:^23}" for name in ("requests", "bytes, both ways", "mean latency"))
HEAD = f"\n{'':10}{GROUPS.rstrip()}\n{'':10}" + 3 * f"{'theory':>8} measured {'off':>5}"
Format = Callable[[float | None], str]
Apart = Callable[[float | None, float | None], str]
FIGURES: tuple[tuple[str, Figure, Format, Apart], ...] = (
    ("requests", lambda run: run.receive["requests"], amount, off),
    ("bytes", lambda run: run.socket_bytes, amount, off),
    ("latency_mean_s", lambda run: run.latency_s["mean"], seconds, late),
)


COLUMNS = tuple(
    (group, *column)
    for group in ("requests", "bytes, both ways", "mean latency")
    for column in (("theory", 7), ("measured", 8), ("off", 5))
)
"""The group, the heading and the width of each figure."""
OWN_COLUMNS = tuple(("clients' own", name, 8) for name in ("theory", "measured", "share"))
"""The same of the simulated clients' own work."""


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


def own_work(runs: Sequence[Run]) -> Text | None:
    """The part of the mean latency that is the simulated clients' own work; None where no run knows it."""
    rows = [(mode, own_work_cells(rounds)) for mode, rounds in by_mode(runs).items()]
    if all(cells[:2] == [NOTHING, NOTHING] for _, cells in rows):
        return None
    head = "\nof the mean latency, work of the simulated clients themselves"
    lines = [Text(head, style="bold"), Text(f"{'':10}  theory measured  share", style="bold")]
    for mode, cells in rows:
        text = f" {mode:<9}{cells[0]:>8} {cells[1]:>8} {cells[2]:>6}"
        lines.append(Text(text, style=TECHNIQUES[mode].dark))
    return Text("\n").join(lines)


def own_work_cells(rounds: Sequence[Run]) -> list[str]:
    """The predicted part, the measured part, and the share of the measured latency."""
    predicted = median_over_rounds(rounds, lambda run: run.predicted.get("latency_clients_s"))
    measured = median_over_rounds(rounds, lambda run: run.fleet.get("latency_mean_s"))
    share = median_over_rounds(rounds, _own_share)
    return [seconds(predicted), seconds(measured), percent(share)]


def _own_share(run: Run) -> float | None:
    own, mean = run.fleet.get("latency_mean_s"), run.latency_s["mean"]
    return None if own is None or not mean else own / mean


def overloaded(runs: Sequence[Run]) -> list[str]:
    """A sentence for each technique whose latency theory does not give, because there is no steady state."""
    lines = []
    for mode, rounds in by_mode(runs).items():
        load = median_over_rounds(rounds, lambda run: run.predicted.get("load"))
        none = median_over_rounds(rounds, expected("latency_mean_s")) is None
        if none and load is not None and load >= 1:
            lines.append(f"{mode}: messages come faster than served (load {load:.1f}): no steady state.")
    return lines


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
        moved = _spread(spread(those, lambda run: run.per_delivery(run.socket_bytes)), count)
        lines.append(
            Text(f" {mode:<9} p50 {latency:<27} bytes/delivery {moved}", style=TECHNIQUES[mode].dark)
        )
    return Text("\n").join(lines)


def _spread(found: Spread | None, mode: Callable[[float | None], str]) -> str:
    if found is None:
        return NOTHING
    return f"{mode(found.median)} [{mode(found.low)}, {mode(found.high)}]"
