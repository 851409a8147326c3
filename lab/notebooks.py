"""What notebooks need besides the lab: a progress bar, and runs that were recorded when none can be made.

`measured(...)` hands out recorded runs, so that a notebook works on a train; with PUSHLAB_LIVE=1 it
measures anew, with PUSHLAB_LIVE=record it also writes down what it measured, with machine and date.
"""

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import lab
from lab.catalogue import WORDS
from lab.errors import BadInput
from lab.experiment.conditions import Conditions
from lab.experiment.runs import Run, document, load

DATA = "data"
LIVE = "PUSHLAB_LIVE"


def measured(name: str, modes: Sequence[str] = WORDS, **conditions: Any) -> list[Run]:
    """Runs of these techniques under these conditions: the record `data/<name>.json`, or new ones.

    Raises `BadInput` when there is no such record, or when it was made under other conditions.
    """
    path = Path(DATA) / f"{name}.json"
    live = os.environ.get(LIVE)
    if not live:
        return _recorded(path, modes, Conditions(**conditions))
    runs: list[Run] = lab.compare(modes, **conditions)
    if live == "record":
        write_down(runs, path)
    return runs


def _recorded(path: Path, modes: Sequence[str], wanted: Conditions) -> list[Run]:
    if not path.exists():
        raise BadInput(f"There is no record {path}; set {LIVE}=1 to measure, and start in notebooks/.")
    runs = load(path)
    if runs[0].conditions != wanted.as_json() or {run.mode for run in runs} != set(modes):
        raise BadInput(f"{path} was recorded under other conditions; set {LIVE}=1 to measure anew.")
    return runs


def write_down(runs: Sequence[Run], path: Path) -> None:
    """Write runs with their latencies, and say where and when they were made."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    marked = {"recorded": {"date": date.today().isoformat(), "machine": machine}}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document(runs, samples=True) | marked, ensure_ascii=False) + "\n", "utf-8")


class Bar:
    """How far it is, in a notebook's output; nothing anywhere else. `moved` may be called by any thread."""

    def __init__(self) -> None:
        self._shown: Any = None
        self._now = (0.0, "")

    def moved(self, share: float, text: str) -> None:
        """Take down how far it is."""
        self._now = (share, text)

    def show(self) -> None:
        """Show it; called by the thread that the notebook waits for."""
        share, text = self._now
        self._put(f'<progress max="1" value="{share:.3f}"></progress> {text}')

    def clear(self) -> None:
        """Leave nothing behind."""
        if self._shown is not None:
            self._put("")

    def _put(self, markup: str) -> None:
        if not in_notebook():
            return
        screen = import_module("IPython.display")  # there, because a notebook is
        if self._shown is None:
            self._shown = screen.display(screen.HTML(markup), display_id=True)
        else:
            self._shown.update(screen.HTML(markup))


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    interactive = sys.modules.get("IPython")
    return interactive is not None and hasattr(interactive.get_ipython(), "kernel")
