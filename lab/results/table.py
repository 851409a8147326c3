"""Runs as text for a terminal: the table of figures, the bars, and the sources of the figures."""

from collections.abc import Callable, Sequence
from textwrap import fill
from typing import Any

from rich.console import Console
from rich.text import Text

from lab.catalogue import TECHNIQUES
from lab.json_types import JsonObject
from lab.proxy.programs import TITLES, read
from lab.results.client_load import warnings
from lab.results.comparing import comparisons
from lab.results.each_lab import each_lab
from lab.results.format import Unknown, bits, count, percent, seconds, times
from lab.results.narrow import LEAST, Column, blocks, wrapped
from lab.results.per_message import part, transferred
from lab.results.proxied import proxied
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run
from lab.results.segments import packets
from lab.results.theory_table import COLUMNS as THEORY_COLUMNS
from lab.results.theory_table import (
    OWN_COLUMNS,
    overloaded,
    own_work,
    own_work_cells,
    pairs,
    predictions,
    spreads,
)
from lab.results.workers import delay, ended, where, workers

PARTS = ("head", "framing", "payload")
SHADES = {"head": "░", "framing": "▒", "payload": "█"}
ASCII_SHADES = {"head": ".", "framing": "+", "payload": "#"}
BAR_COLUMNS = 52
BESIDE_BAR = 18
"""The technique before a bar and the number after it."""
TABLE_COLUMNS = 79
ABOVE = (*("", ""), *3 * ("bytes per delivery",), "head", *3 * ("latency",), "each")
"""Headings above the groups of columns."""


def show(runs: Sequence[Run], console: Console) -> None:
    """Print the conditions, the comparison, the bars, and the notes."""
    parts = _usual(runs, console) if console.width >= TABLE_COLUMNS else _narrow(runs, console)
    for shown in parts:
        if shown is not None:
            console.print(shown, highlight=False, soft_wrap=True)


def _usual(runs: Sequence[Run], console: Console) -> list[Any]:
    parts = [conditions(runs[0]), table(runs), bars(runs, console), predictions(runs), own_work(runs)]
    return [
        *parts,
        packets(runs),
        spreads(runs),
        proxied(runs),
        each_lab(runs),
        workers(runs),
        *comparisons(runs),
        footnotes(runs),
    ]


def _narrow(runs: Sequence[Run], console: Console) -> list[Any]:
    """The output for a narrow terminal: in blocks, or as a list for each technique."""
    width, modes = console.width, by_mode(runs)
    figures = {mode: row(mode, rounds)[1:] for mode, rounds in modes.items()}
    parts: list[Any] = [conditions(runs[0], max(LEAST, width))]
    parts += _blocks([*zip(ABOVE, *zip(*_sizes(COLUMNS[1:]), strict=True), strict=True)], figures, width)
    parts.append(bars(runs, console))
    parts += _blocks(THEORY_COLUMNS, {mode: pairs(rounds) for mode, rounds in modes.items()}, width)
    sure = spreads(runs)
    if own_work(runs):
        parts += _blocks(OWN_COLUMNS, {mode: own_work_cells(rounds) for mode, rounds in modes.items()}, width)
    parts += [packets(runs), sure and wrapped(sure.plain, width), proxied(runs), each_lab(runs)]
    remote = workers(runs)
    parts.append(remote and wrapped(remote.plain, width))
    return [*parts, *comparisons(runs), *_notes(runs, width)]


def _sizes(columns: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(name, abs(width)) for name, width in columns]


def _blocks(columns: Sequence[Column], rows: dict[str, list[str]], width: int) -> list[Text]:
    return [
        Text("\n").join(
            [Text(), *(Text(text, style=colour(mode) if mode else "bold") for mode, text in lines)]
        )
        for lines in blocks(columns, rows, width)
    ]


def _notes(runs: Sequence[Run], width: int) -> list[str]:
    """The notes on the figures, as paragraphs, and each verdict on its own lines."""
    own = ["", *overloaded(runs), *verdicts(runs), *strained(runs)]
    about = footnotes(runs).split("\n")[: -len(own) + 1 or None]
    return ["", wrapped("\n".join(about), width), *(wrapped(line, width) for line in own)]


def conditions(run: Run, width: int = 79) -> str:
    """The conditions in one line."""
    c = run.conditions
    words = [
        f"{c['clients']} clients",
        f"{c['rate']:g} msg/s ({c['arrivals']})",
        f"{c['duration_s']:g} s",
        f"{c['payload']} characters",
        f"{c['headers']} headers",
        f"short polls every {c['interval_s']:g} s",
        f"polls held {c['hold_s']:g} s",
        where(run) or link(c),
        f"{c['rounds']} round{'s' * (c['rounds'] > 1)}",
        f"seed {c['seed']}",
    ]
    text = " · ".join(["One room", *words, *extra(c)]).replace(" ", "\N{NO-BREAK SPACE}")
    filled = fill(text.replace("\N{NO-BREAK SPACE}·\N{NO-BREAK SPACE}", " · "), width, break_on_hyphens=False)
    return filled.replace("\N{NO-BREAK SPACE}", " ")


def extra(c: JsonObject) -> list[str]:
    """Conditions that few runs have."""
    words = [] if c["keep_alive"] else ["no keep-alive"]
    words += [f"compressed ({c['compress']} window)"] if c["compress"] else []
    words += [f"client processes: {c['client_processes']}"] if c.get("client_processes") else []
    return words + ([f"{c['subprotocol']} frames"] if c.get("subprotocol") else [])


def link(c: JsonObject) -> str:
    """A description of the link between listeners and lab."""
    if c.get("proxy"):
        to = f" to {c['labs']} labs" if c.get("labs") else ""
        proxy = read(c["proxy"])
        return f"through {TITLES[proxy.program]}{to} ({proxy.switches})"
    if not (c["rtt_s"] or c["bandwidth"]):
        return "loopback"
    jitter = f" ± {1000 * c['jitter_s']:g} ms a way" if c.get("jitter_s") else ""
    width = f", {bits(c['bandwidth'])} each" if c["bandwidth"] else ""
    return f"{1000 * c['rtt_s']:g} ms round trip added{jitter}{width}"


def table(runs: Sequence[Run]) -> Text:
    """One line per technique, 79 columns: requests, bytes per delivered message, latency, CPU."""
    lines = [Text(GROUPS, style="bold"), Text(line([name for name, _ in COLUMNS]), style="bold")]
    for mode, rounds in by_mode(runs).items():
        lines.append(_coloured(row(mode, rounds), colour(mode)))
    return Text("\n").join(lines)


def _coloured(cells: Sequence[str], style: str) -> Text:
    """A technique's line in its colour; what is not known is grey."""
    text, end = Text(line(cells), style=style), 0
    for cell in cells:
        start = text.plain.index(cell, end)
        end = start + len(cell)
        if isinstance(cell, Unknown):
            text.stylize("not bold dim", start, end)
    return text


COLUMNS = (
    *(("technique", -9), ("requests", 8), ("empty", 5)),
    *(("head", 5), ("frame", 5), ("payload", 7), ("over", 5)),
    *(("p50", 6), ("p95", 6), ("max", 6), ("CPU", 6)),
)
"""Headings and widths; a negative width is left-aligned."""
GROUPS = f"\n{'':25}{'bytes per delivery':>19} {'head':>5} {'latency':>20} {'each':>6}"


def line(cells: Sequence[str]) -> str:
    """Cells in their columns."""
    return " ".join(
        f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}"
        for cell, (_, width) in zip(cells, COLUMNS, strict=True)
    )


def row(mode: str, rounds: Sequence[Run]) -> list[str]:
    """One technique's figures, as text: medians over its rounds."""
    empty = median_over_rounds(rounds, lambda run: run.receive["empty"] / (run.receive["requests"] or 1))
    cells = [mode, count(median_over_rounds(rounds, lambda run: run.receive["requests"])), percent(empty)]
    cells += [count(median_over_rounds(rounds, part(name))) for name in PARTS]
    cells.append(times(median_over_rounds(rounds, lambda run: run.overhead)))
    cells += [delay(rounds, median_over_rounds(rounds, latency(name))) for name in ("p50", "p95", "max")]
    cells.append(seconds(median_over_rounds(rounds, lambda run: run.per_delivery(run.server_cpu_s))))
    return cells


def latency(name: str) -> Callable[[Run], float | None]:
    """A percentile of the latency."""
    return lambda run: run.latency_s[name]


def bars(runs: Sequence[Run], console: Console) -> Text:
    """Bytes per delivered message as bars of text, each split into head, framing and payload."""
    shades = SHADES if console.encoding.startswith("utf") else ASCII_SHADES
    modes = by_mode(runs)
    sizes = {
        mode: [median_over_rounds(rounds, transferred(name)) or 0 for name in PARTS]
        for mode, rounds in modes.items()
    }
    longest = max(sum(parts) for parts in sizes.values()) or 1
    key = "  ".join(f"{shades[name]} {name}" for name in PARTS)
    most = max(1, min(BAR_COLUMNS, console.width - BESIDE_BAR))
    title = f"bytes per delivered message   {key}"
    title = title if console.width >= TABLE_COLUMNS else wrapped(title, console.width)
    lines = [Text(f"\n{title}", style="bold")]
    for mode, parts in sizes.items():
        drawn = "".join(
            shades[name] * round(most * size / longest) for name, size in zip(PARTS, parts, strict=True)
        )
        lines.append(Text.assemble(f"{mode:<10}", (drawn, colour(mode)), f" {count(sum(parts))}"))
    return Text("\n").join(lines)


def colour(mode: str) -> str:
    """The technique's colour that is visible on dark and on light."""
    return TECHNIQUES[mode].dark


def footnotes(runs: Sequence[Run]) -> str:
    """The sources of the figures, and warnings about them."""
    lab = runs[0].lab
    lines = [
        "",
        "Measured: all bytes at the server's socket for receiving, both ways, the",
        "first request included; over = all bytes / payload. Latency: planned send ->",
        f"arrival in the client, {_clock(runs)}. CPU: the server process.",
        "Predicted: closed forms; bytes, and what a message takes without any link, are",
        "from one exchange measured beforehand with one listener at a lab at rest; with",
        "more than 4, also what each listener costs. TCP segments: the kernel's count.",
        f"Push Lab {lab['version']} · Python {lab['python']} · Tornado {lab['tornado']}",
        f"Redis: {lab['redis']}",
    ]
    if runs[0].conditions["compress"]:
        lines.insert(1, "Payload: before compression in the table, as transferred in the bars.")
    return "\n".join(lines + overloaded(runs) + verdicts(runs) + strained(runs))


def _clock(runs: Sequence[Run]) -> str:
    return "by compared clocks" if any(run.engine for run in runs) else "on one monotonic clock"


def strained(runs: Sequence[Run]) -> list[str]:
    """Warnings for runs in which this machine was overloaded, so that its delays are not the lab's."""
    words = [(run, words) for run in runs for words in warnings(run.fleet)]
    lines = [f"{run.mode}, round {run.round}: {words}." for run, words in words]
    return ["", "This machine did not keep up, and its latencies are not the lab's:", *lines] if lines else []


def verdicts(runs: Sequence[Run]) -> list[str]:
    """What was lost, doubled or out of order, or a line that nothing was."""
    wrong = [run for run in runs if not run.clean]
    lines = [
        f"{run.mode}, round {run.round}: {run.lost} lost, {run.duplicated} doubled, "
        f"{run.out_of_order} out of order"
        for run in wrong
    ]
    lines += [f"{run.mode}, round {run.round}: refused" for run in runs if run.refused]
    lines += [f"{run.mode}: {run.missing} messages were not stored" for run in runs if run.missing]
    lines += ended(runs)
    if any(run.partial and not run.ended for run in runs):
        lines.append("PARTIAL: stopped before its time.")
    total = sum(run.delivered for run in runs)
    return lines or [f"Nothing lost, doubled or out of order in {total:,} deliveries."]
