"""The report: one HTML page with the conditions, the table and the figures, which loads nothing else."""

import io
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from lab.catalogue import TECHNIQUES
from lab.figures.bars import overhead, requests
from lab.figures.comparison import save
from lab.figures.curves import prediction
from lab.figures.ladder import ladder
from lab.figures.lines import latency
from lab.results.rounds import by_mode
from lab.results.runs import Run
from lab.results.table import COLUMNS, row, verdicts
from lab.results.theory_table import overloaded, own_work_cells, pairs
from lab.results.writing import write_whole

SHOWN = {
    "overhead": (
        overhead,
        "Measured: bytes at the server's socket per delivered message, medians over rounds.",
    ),
    "requests": (
        requests,
        "Measured: requests per second of the first round; all requests, empty ones hatched.",
    ),
    "latency": (latency, "Measured: share of deliveries that took at most so long."),
    "prediction": (prediction, "Rings: predicted by closed forms. Letters: measured."),
    "ladder": (ladder, "Theory: nothing in this drawing is measured."),
}
"""Figures of the report, in order, each with its source."""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Push Lab: {title}</title>
<style>
body {{ font: 16px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; color: #1b1f24;
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
.wide {{ overflow-x: auto; }}
th, td {{ padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #d9dde2; white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; }}
figure {{ margin: 2rem 0; }}
figure svg {{ width: 100%; height: auto; }}
figcaption, .small {{ color: #5b6470; font-size: .9rem; }}
@media print {{ figure {{ break-inside: avoid; }} }}
</style>
</head>
<body>
<h1>Push Lab: {title}</h1>
<h2>Conditions</h2>
<div class="wide">{conditions}</div>
<h2>Measured</h2>
<p class="small">Medians over {rounds} round(s). Bytes per delivery; latency: planned send → arrival.</p>
<div class="wide">{table}</div>
<h2>Predicted and measured</h2>
<p class="small">Predicted by closed forms; bytes, and the time of a message
without any link, are from one exchange that was measured beforehand; with more than 4 listeners
also what each of them costs. The simulated clients' own work is part of the latency.</p>
<div class="wide">{beside}</div>
<h2>Figures</h2>
{figures}
<p class="small">{verdicts}<br>Push Lab {version}</p>
</body>
</html>
"""


def write(runs: Sequence[Run], path: str | Path) -> None:
    """Write the report of runs that were made under the same conditions."""
    write_whole(path, report(runs).encode())


def report(runs: Sequence[Run]) -> str:
    """The page as text."""
    lab = runs[0].lab
    made_of = [
        lab["version"],
        f"Python {lab['python']}",
        f"Tornado {lab['tornado']}",
        lab["redis"],
        lab["platform"],
    ]
    return PAGE.format(
        title=escape(", ".join(by_mode(runs))),
        conditions=_table(["condition", "value"], [[n, str(v)] for n, v in runs[0].conditions.items()]),
        rounds=max(len(rounds) for rounds in by_mode(runs).values()),
        table=_table([name for name, _ in COLUMNS], [row(*pair) for pair in by_mode(runs).items()]),
        beside=_beside(runs),
        figures="\n".join(_figure(name, runs) for name in SHOWN),
        verdicts=escape(" ".join(verdicts(runs))),
        version=escape(" · ".join(made_of)),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a table; a technique's mode has its colour."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(map(_cell, cells)) + "</tr>" for cells in rows]
    return f"<table>{''.join(lines)}</table>"


def _cell(text: str) -> str:
    known = TECHNIQUES.get(text)
    if known is None:
        return f"<td>{escape(text)}</td>"
    return f'<td style="color:{known.light}"><b>{known.sign}</b> {text} {known.title_zh}</td>'


def _beside(runs: Sequence[Run]) -> str:
    head = ["technique"]
    for name in ("requests", "bytes", "mean latency"):
        head += [f"{name}, predicted", "measured", "off"]
    head += ["of it the clients' own work, predicted", "measured", "share"]
    rows = [[mode, *pairs(rounds), *own_work_cells(rounds)] for mode, rounds in by_mode(runs).items()]
    return _table(head, rows) + "".join(f"<p>{escape(text)}</p>" for text in overloaded(runs))


def _figure(name: str, runs: Sequence[Run]) -> str:
    draw, source = SHOWN[name]
    drawn = svg(draw(runs))
    return f'<figure role="img" aria-label="{name}">{drawn}<figcaption>{escape(source)}</figcaption></figure>'


def svg(figure: Figure) -> str:
    """A figure as an element of a page: without prologue, namespaces and addresses."""
    text = io.StringIO()
    save(figure, text, format="svg")
    element = text.getvalue()[text.getvalue().index("<svg") :]
    return re.sub(r' xmlns(:\w+)?="[^"]*"', "", element)
