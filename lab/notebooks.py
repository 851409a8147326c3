"""Runs for notebooks: recorded ones, which need no server, or new ones.

`measured(...)` returns recorded runs, so that a notebook works without a server; with PUSHLAB_LIVE=1 it
measures again, with PUSHLAB_LIVE=record it also saves the new runs, with machine and date.
"""

import json
import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from lab.catalogue import MODES
from lab.errors import BadInput
from lab.experiment.conditions import Conditions, known
from lab.experiment.http2 import long_polls
from lab.experiment.session import compare
from lab.experiment.thread import InThread
from lab.json_types import JsonObject
from lab.results.runs import Run, document, load

DATA = "data"
LIVE = "PUSHLAB_LIVE"


def measured(name: str, modes: Sequence[str] | None = None, **conditions: Any) -> list[Run]:
    """Runs of these techniques under these conditions: the record `data/<name>.json`, or new ones.

    Without `modes` a new run is of every technique, and a record is of those that it holds: a technique
    that came later was not measured, and no run of it is there. Raises `BadInput` when there is no such
    record, or when it was made under other conditions.
    """
    path = Path(DATA) / f"{name}.json"
    live = os.environ.get(LIVE)
    if not live:
        return _recorded(path, modes, known(conditions))
    runs: list[Run] = compare(MODES if modes is None else modes, **conditions)
    if live == "record":
        write_down(runs, path)
    return runs


def http2_polls(polls: int = 20) -> JsonObject:
    """Long polls by HTTP/1.1 and by HTTP/2 through nginx, with their bytes (`lab.experiment.http2`).

    They are recorded ones, or new ones, as with `measured`. Raises `BadInput` when there is no record.
    """
    path = Path(DATA) / "07-http2.json"
    if not (live := os.environ.get(LIVE)):
        _there(path)
        found: JsonObject = json.loads(path.read_text("utf-8"))
        return found
    found = InThread(lambda stop: long_polls(polls)).result()
    if live == "record":
        _write(found, path)
    return found


def _there(path: Path) -> None:
    if not path.exists():
        raise BadInput(f"There is no record {path}; set {LIVE}=1 to measure, and start in notebooks/.")


def _recorded(path: Path, modes: Sequence[str] | None, wanted: Conditions) -> list[Run]:
    _there(path)
    runs = load(path)
    recorded = {run.mode for run in runs}
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
