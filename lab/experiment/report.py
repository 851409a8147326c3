"""What a measured run puts out: progress while it runs, and then a table, JSON or CSV."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lab.experiment.publisher import Progress as Moved
from lab.experiment.runs import Run, document, save, write_csv
from lab.experiment.tables import show


@contextmanager
def progress(options: argparse.Namespace) -> Iterator[Moved]:
    """A bar on standard error, on a terminal only; nothing of it stays."""
    console = Console(stderr=True, no_color=options.no_color or None)
    if options.quiet or not console.is_terminal:
        yield lambda share, text: None
        return
    columns = (BarColumn(30), TextColumn("{task.percentage:3.0f} %  {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("starting", total=1.0)
        yield lambda share, text: shown.update(task, completed=share, description=text)


def report(runs: Sequence[Run], options: argparse.Namespace) -> None:
    """Put the runs out as the options say. With `--json` alone, standard output holds nothing else."""
    if options.csv:
        with open(options.csv, "w", encoding="utf-8", newline="") as file:
            write_csv(runs, file)
    if options.json == "-":
        json.dump(document(runs), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    if options.json:
        save(runs, options.json)
    if not options.quiet:
        show(runs, Console(no_color=options.no_color or None))
