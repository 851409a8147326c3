"""The comparison on one sheet: what `--plot` writes."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from lab.figures import style
from lab.figures.bars import draw_answers, draw_overhead
from lab.figures.caption import captioned
from lab.figures.curves import PANELS, draw_prediction, key
from lab.figures.lines import draw_latency
from lab.results.runs import Run
from lab.results.writing import write_whole

PROJECTOR_DPI = 150
SILENT: Any = dict.fromkeys(("Creator", "Date", "Format", "Type"))
"""No date and no addresses inside a picture: the same runs make the same file."""


@style.of_runs
def comparison(runs: Sequence[Run], size: str = "projector") -> Figure:
    """Four views of the same runs: bytes, requests, latency, and theory with measurement."""
    with style.sheet(size, height=0.77, small=0.68, nrows=2, ncols=2) as (figure, axes):
        draw_overhead(axes[0, 0], runs)
        draw_answers(axes[0, 1], runs)
        draw_latency(axes[1, 0], runs)
        far = draw_prediction(axes[1, 1], runs, PANELS[-1])
        shown = "bytes per delivered message, requests, latency, and mean latency with its theory"
        captioned(figure, runs, f"Four panels: {shown} ({far}).", key(runs))
    return figure


def plot(runs: Sequence[Run], path: str | Path) -> None:
    """Write the comparison as PNG, SVG or PDF, by the file's ending. Raises `CannotWrite`."""
    picture = io.BytesIO()
    save(comparison(runs), picture, format=Path(path).suffix.lstrip(".").lower())
    write_whole(path, picture.getvalue())


def save(figure: Figure, target: Any, format: str) -> None:
    """Write a figure so that the same runs make the same bytes."""
    silent: Any = {"svg": SILENT, "pdf": {"CreationDate": None}}.get(format, {})
    figure.savefig(target, dpi=PROJECTOR_DPI, metadata=silent, format=format)
