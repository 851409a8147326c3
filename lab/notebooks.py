"""For notebooks: runs, recorded ones or new ones, tables, and guesses.

`measured(...)` returns recorded runs, so that a notebook works without a server; with PUSHLAB_LIVE=1 it
measures again, with PUSHLAB_LIVE=record it also saves the new runs, with machine and date. `table(...)` shows
rows, `score(...)` draws guesses and what was measured. With recorded runs all of it needs numpy and
matplotlib alone, and no Jupyter.
"""

import json
import os
import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from lab.catalogue import MODES, TECHNIQUES
from lab.errors import BadInput, BadParameter
from lab.experiment.conditions import Conditions, known
from lab.json_types import JsonObject
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run, document, load

DATA = Path("data"), Path("..", "data")
"""Where records are, from the folder of the notebooks and from that of another language."""
LIVE = "PUSHLAB_LIVE"
NUMBER = re.compile(r"[+-]?[\d.,]+( ?[%x]| : 1|/s)?")
"""A cell that stands at the right."""
ROUNDS = 5
"""Rounds of a run that is recorded, where the notebook names no number: enough for an interval."""


def measured(name: str, modes: Sequence[str] | None = None, **conditions: Any) -> list[Run]:
    """Runs of these techniques under these conditions: the record `data/<name>.json`, or new ones.

    Without `modes` a new run is of every technique, and a record is of those that it holds: a technique
    that came later was not measured, and no run of it is there. Without `rounds` a record may have any number
    of them. Raises `BadInput` when there is no such record, or when it was made under other conditions.
    """
    path = _place(name)
    live = os.environ.get(LIVE)
    if not live:
        return _recorded(path, modes, known(conditions), "rounds" in conditions)
    from lab.experiment.session import compare  # needs more packages than a record does

    rounds = {"rounds": ROUNDS} if live == "record" else {}
    runs: list[Run] = compare(MODES if modes is None else modes, **(rounds | conditions))
    if live == "record":
        write_down(runs, path)
    return runs


def recorded(name: str) -> list[Run]:
    """The runs of a record as they are, as those of another notebook: they are never measured again here.

    Raises `BadInput` when there is no such record.
    """
    path = _place(name)
    _there(path)
    return load(path)


def http2_polls(polls: int = 20) -> JsonObject:
    """Long polls by HTTP/1.1 and by HTTP/2 through nginx, with their bytes (`lab.experiment.http2`).

    They are recorded ones, or new ones, as with `measured`. Raises `BadInput` when there is no record.
    """
    path = _place("07-http2")
    if not (live := os.environ.get(LIVE)):
        return _read(path)
    from lab.experiment.http2 import long_polls
    from lab.experiment.thread import InThread

    found: JsonObject = InThread(lambda stop: long_polls(polls)).result()
    if live == "record":
        _write(found, path)
    return found


def servers() -> JsonObject:
    """The record of one benchmark: the processor time of several servers, in Python and in C.

    `cpu_us` is `{server: {technique: [µs a delivery in each round]}}`, of `clients` listeners; of short polls
    for an answer without a message. It is never measured here: `tests/benchmarks/README.md` has the command.
    Raises `BadInput` when there is no record.
    """
    return _read(_place("04-servers"))


def _place(name: str) -> Path:
    return next((folder for folder in DATA if folder.is_dir()), DATA[0]) / f"{name}.json"


def _there(path: Path) -> None:
    if not path.exists():
        raise BadInput(f"There is no record {path}; set {LIVE}=1 to measure, and start in notebooks/.")


def _read(path: Path) -> JsonObject:
    _there(path)
    found: JsonObject = json.loads(path.read_text("utf-8"))
    return found


def _recorded(path: Path, modes: Sequence[str] | None, wanted: Conditions, rounds: bool) -> list[Run]:
    _there(path)
    runs = load(path)
    recorded = {run.mode for run in runs}
    if not rounds:
        wanted = replace(wanted, rounds=runs[0].conditions["rounds"])
    if runs[0].conditions != wanted.as_json() or recorded != set(modes or recorded):
        raise BadInput(f"{path} was recorded under other conditions; set {LIVE}=1 to measure again.")
    return runs


def write_down(runs: Sequence[Run], path: Path) -> None:
    """Write runs with their latencies, the machine and the date."""
    _write(document(runs, samples=True), path)


def _write(found: JsonObject, path: Path) -> None:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    marked = found | {"recorded": {"date": date.today().isoformat(), "machine": machine}}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(marked, ensure_ascii=False) + "\n", "utf-8")


def medians(runs: Sequence[Run], figure: Callable[[Run], float | None]) -> dict[str, float]:
    """A figure of each technique, the median over its rounds; without those that have not measured it."""
    found = {mode: median_over_rounds(rounds, figure) for mode, rounds in by_mode(runs).items()}
    return {mode: value for mode, value in found.items() if value is not None}


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of text below a heading, which a notebook shows as a table and a terminal as aligned text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        """Columns side by side; numbers to the right."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.head))]
        return "\n".join("  ".join(_aligned(line, widths)).rstrip() for line in lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in self.head)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def table(head: str, rows: Iterable[Sequence[object]]) -> Table:
    """Rows as a table; `head` names the columns, as in "technique | bytes | late, ms".

    Whole numbers have their thousands separated, other numbers three digits; None is a dash. Raises
    `BadParameter` for a row that has not as many cells as the heading.
    """
    names = tuple(name.strip() for name in head.split("|"))
    shown = tuple(tuple(_text(cell) for cell in row) for row in rows)
    if wrong := next((row for row in shown if len(row) != len(names)), None):
        raise BadParameter(
            f"A row has {len(wrong)} cells, and the heading {len(names)}: {' | '.join(wrong)}."
        )
    return Table(names, shown)


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:,.{digits}f}"


def _number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    pairs = zip(row, widths, strict=True)
    return [cell.rjust(width) if _number(cell) else cell.ljust(width) for cell, width in pairs]


def _cell(text: str) -> str:
    colour = f"color:{TECHNIQUES[text].light};" if text in TECHNIQUES else ""
    return f'<td style="{colour}text-align:{"right" if _number(text) else "left"}">{escape(text)}</td>'


def score(
    guess: Mapping[str, float | None],
    runs: Sequence[Run],
    figure: Callable[[Run], float | None],
    unit: str = "bytes",
) -> Any:
    """Draw the guesses and a figure of these runs: `guess = {"sse": 300, …}`; None where there is no guess.

    Returns a matplotlib Figure. A measurement is shown once there is a guess for it.
    """
    from lab.figures.guess import guessed

    found = medians(runs, figure)
    return guessed(guess, {mode: found[mode] for mode in found if mode in guess or not guess}, runs, unit)


def heat_map(
    values: Mapping[tuple[float, float], float], runs: Sequence[Run], title: str, rows: str, columns: str
) -> Any:
    """Draw numbers by two conditions, each in its cell: `{(row, column): value}`.

    `title` says what the numbers are, `rows` and `columns` name the conditions. Returns a matplotlib Figure.
    """
    from lab.figures.heat import heat

    return heat(values, runs, title, rows, columns)
