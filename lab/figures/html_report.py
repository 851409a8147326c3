"""The report: one HTML page with the answer, the table and the figures, which loads nothing else.

First the answer in one sentence and one picture, then the figures of all techniques, how they were measured,
and the details. It fits a phone, a screen and paper (A4).
"""

import io
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from lab.catalogue import TECHNIQUES
from lab.figures import style
from lab.figures.bars import overhead, requests
from lab.figures.comparison import save
from lab.figures.curves import prediction
from lab.figures.ladder import ladder
from lab.figures.lines import latency
from lab.figures.rates import overhead_over_rate
from lab.figures.report_texts import FIGURES, Say, answer, conditions_line, verdict_lines
from lab.languages import spoken, system_language
from lab.results.format import NOTHING, Unknown
from lab.results.rounds import by_mode
from lab.results.runs import Run
from lab.results.table import row, strained
from lab.results.theory_table import overloaded, own_work_cells, pairs
from lab.results.writing import write_whole

Draw = Callable[[Any], Figure]
Group = tuple[str, Sequence[str]]
"""The heading of some columns, and their own headings; a single column has no heading of its own."""
FIRST: tuple[Draw, str] = (overhead_over_rate, "rate")
SHOWN: tuple[tuple[Draw, str], ...] = (
    (overhead, "overhead"),
    (requests, "answers"),
    (latency, "spread"),
    (prediction, "prediction"),
    (ladder, "ladder"),
)
"""Figures of the report, in order, each with the text below it."""
MEASURED: tuple[Group, ...] = (
    *(("technique", ()), ("requests", ()), ("empty", ())),
    *(("each", ("head", "framing", "payload")), ("over", ()), ("latency", ("p50", "p95", "longest"))),
    ("cpu", ()),
)
THEORY: tuple[Group, ...] = (
    ("technique", ()),
    *((name, ("predicted", "got", "off")) for name in ("requests", "bytes", "mean")),
)
OWN: Group = ("own", ("predicted", "got", "share"))
PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Push Lab: {title}</title>
<style>
body {{ font: 16px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  color: #1b1f24; background: #fff; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.1rem; color: #5b6470; font-weight: 600; margin: 0; }}
h2 {{ margin: 2.5rem 0 .5rem; font-size: 1.25rem; }}
.answer {{ font-size: clamp(1.2rem, 4vw, 1.5rem); line-height: 1.35; font-weight: 600;
  margin: .5rem 0 1rem; text-wrap: pretty; }}
table {{ border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }}
.wide {{ overflow-x: auto; }}
th, td {{ padding: .3rem .4rem; text-align: right; border-bottom: 1px solid #d9dde2; vertical-align: top; }}
th {{ font-weight: 600; color: #5b6470; }}
th[colspan] {{ text-align: center; }}
th:first-child, td:first-child {{ text-align: left; }}
td {{ white-space: nowrap; }}
.unknown {{ color: #6f7782; }}
figure {{ margin: 1.5rem 0; }}
figure svg {{ width: 100%; height: auto; display: block; }}
figcaption, .small {{ color: #5b6470; font-size: .875rem; }}
@page {{ size: A4; margin: 15mm; }}
@media print {{
  body {{ font-size: 10pt; margin: 0; padding: 0; max-width: none; print-color-adjust: exact; }}
  .answer {{ font-size: 14pt; }}
  table, figcaption, .small {{ font-size: 8pt; }}
  th, td {{ padding: .15rem .25rem; }}
  .wide {{ overflow: visible; }}
  h2 {{ break-after: avoid; }}
  figure, tr {{ break-inside: avoid; }}
  figure svg {{ max-height: 200mm; }}
}}
</style>
</head>
<body>
<h1>Push Lab: {title}</h1>
<p class="answer">{answer}</p>
<p class="small">{conditions}</p>
{first}
<h2>{measured}</h2>
<div class="wide">{table}</div>
<p class="small">{verdicts}</p>
<p class="small">{measured_about}</p>
<h2>{theory}</h2>
<div class="wide">{beside}</div>
<p class="small">{theory_about}</p>
<h2>{details}</h2>
{in_english}
{figures}
<p class="small">Push Lab {version}</p>
</body>
</html>
"""


def write(runs: Sequence[Run], path: str | Path, language: str | None = None) -> None:
    """Write the report of runs that were made under the same conditions; None is the system's language."""
    write_whole(path, report(runs, language).encode())


def report(runs: Sequence[Run], language: str | None = None) -> str:
    """The page as text, in this language; where its figures are in English, it says so."""
    tag = spoken(language or "") or system_language()
    say = Say(tag)
    with style.in_language(say.figures):
        first, *figures = [_figure(draw, key, runs, say) for draw, key in (FIRST, *SHOWN)]
    return PAGE.format(
        lang=tag,
        title=escape(say("title")),
        answer=escape(answer(runs, say)),
        conditions=escape(conditions_line(runs[0], say)),
        first=first,
        figures="\n".join(figures),
        table=_table(MEASURED, [row(*pair) for pair in by_mode(runs).items()], say),
        beside=_beside(runs, say),
        measured_about=escape(say("measured.about", rounds=max(run.round for run in runs))),
        verdicts="<br>".join(map(escape, [*verdict_lines(runs, say), *filter(None, strained(runs))])),
        version=escape(_made_of(runs[0].lab)),
        **{name: escape(say(name)) for name in ("measured", "theory")},
        theory_about=escape(say("theory.about")),
        details=escape(say("figures")),
        in_english="" if tag in FIGURES else f'<p class="small">{escape(say("in_english"))}</p>',
    )


def _made_of(lab: dict[str, str]) -> str:
    parts = [
        lab["version"],
        f"Python {lab['python']}",
        f"Tornado {lab['tornado']}",
        lab["redis"],
        lab["platform"],
    ]
    return " · ".join(parts)


def _table(groups: Sequence[Group], rows: Sequence[Sequence[str]], say: Say) -> str:
    """Rows of text below two lines of headings; a technique's mode has its colour."""
    top = "".join(_heading(say(name), len(inner)) for name, inner in groups)
    low = "".join(f"<th>{escape(_named(name, say))}</th>" for _, inner in groups for name in inner)
    body = "".join("<tr>" + "".join(_cell(text, say) for text in cells) + "</tr>" for cells in rows)
    return f"<table><thead><tr>{top}</tr><tr>{low}</tr></thead><tbody>{body}</tbody></table>"


def _heading(text: str, columns: int) -> str:
    size = f'colspan="{columns}"' if columns else 'rowspan="2"'
    return f"<th {size}>{escape(text)}</th>"


def _named(name: str, say: Say) -> str:
    """A percentile is called the same in every language."""
    return name if re.fullmatch(r"p\d+", name) else say(name)


def _cell(text: str, say: Say) -> str:
    known = TECHNIQUES.get(text)
    if isinstance(text, Unknown):
        return f'<td class="unknown">{escape(text)}</td>'
    if known is None:
        return f"<td>{escape(text)}</td>"
    title = f" {escape(say.mode(text))}" if say.mode(text) != known.title else ""
    return f'<td style="color:{known.light}"><b>{known.sign}</b> {text}{title}</td>'


def _beside(runs: Sequence[Run], say: Say) -> str:
    """Theory and measurement; the clients' own work where a run knows it."""
    rows = [[mode, *pairs(rounds), *own_work_cells(rounds)] for mode, rounds in by_mode(runs).items()]
    known = any(cell != NOTHING for cells in rows for cell in cells[-len(OWN[1]) :])
    groups = (*THEORY, OWN) if known else THEORY
    table = _table(groups, rows if known else [cells[: -len(OWN[1])] for cells in rows], say)
    return table + "".join(f"<p>{escape(text)}</p>" for text in overloaded(runs))


def _figure(draw: Draw, key: str, runs: Sequence[Run], say: Say) -> str:
    figure: Any = draw(runs)
    label = f'role="img" aria-label="{escape(figure.alt)}"'
    return f"<figure><div {label}>{svg(figure)}</div><figcaption>{escape(say(key))}</figcaption></figure>"


def svg(figure: Figure) -> str:
    """A figure as an element of a page: without prologue, namespaces and addresses."""
    text = io.StringIO()
    save(figure, text, format="svg")
    element = text.getvalue()[text.getvalue().index("<svg") :]
    return re.sub(r' xmlns(:\w+)?="[^"]*"', "", element)
