"""The output of a measured run: progress while it runs, and then files, a table, JSON or CSV.

A run takes minutes, so a full disk must not lose it: an output that cannot be written is reported in a
sentence, and all others are still written, files first.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lab.errors import BadParameter, CannotStart, LabError
from lab.experiment.arguments import STANDARD_OUTPUT
from lab.experiment.publisher import Progress as Moved
from lab.experiment.terminal import Lossy, columns, complain, emptied
from lab.results.runs import Run, document, save, write_csv
from lab.results.table import show
from lab.results.wire import show_wires
from lab.results.writing import write_whole

FILES = ("json", "csv", "plot", "report")
"""Options that name a file, of which one or the other may be standard output."""
TEXT_COLUMNS = 48
"""Columns of the text right of the bar."""


class Screen(Console):
    """A console that raises `BrokenPipeError` when its reader has closed; rich would end the program."""

    def on_broken_pipe(self) -> None:
        """Raise the error: the program that reads our output has closed it."""
        raise BrokenPipeError


@contextmanager
def progress(options: argparse.Namespace) -> Iterator[Moved]:
    """A progress bar on standard error, on a terminal only; it is removed at the end."""
    width = columns(sys.stderr)
    stream: Any = Lossy(sys.stderr)
    console = Console(file=stream, no_color=options.no_color or None, width=width, height=25)
    if options.quiet or not console.is_terminal:
        yield lambda share, text: None
        return
    shape = BarColumn(max(4, min(30, width - TEXT_COLUMNS)))
    shown_columns = (shape, TextColumn("{task.percentage:3.0f} %  {task.description}"), TimeElapsedColumn())
    with Progress(*shown_columns, console=console, transient=True) as shown:
        task = shown.add_task("starting", total=1.0)
        yield lambda share, text: shown.update(task, completed=share, description=text)


def check_outputs(options: argparse.Namespace, stdout_open: bool) -> None:
    """Check before the run that every requested output can be written.

    Raises `BadParameter` for outputs that exclude each other, `CannotStart` without matplotlib.
    """
    named = [(name, target) for name in FILES if (target := getattr(options, name))]
    alone = [f"--{name}" for name, target in named if target == STANDARD_OUTPUT]
    if len(alone) > 1:
        raise BadParameter(f"{' and '.join(alone)} cannot both go to standard output; name a file for one.")
    if alone and not stdout_open:
        raise BadParameter(f"Standard output is closed; name a file for {alone[0]}.")
    files = [os.path.realpath(target) for _, target in named if target != STANDARD_OUTPUT]
    if plain := next((file for file in files if files.count(file) > 1 and not _device(file)), None):
        raise BadParameter(f"Two outputs cannot go to the same file {plain}.")
    if options.plot or options.report:
        _load_figures()


def _device(file: str) -> bool:
    return os.path.exists(file) and not os.path.isfile(file)


def _load_figures() -> None:
    try:
        import lab.figures  # noqa: F401 - checks that it can be loaded
    except (ImportError, OSError) as error:
        raise CannotStart(f"No figure can be drawn: matplotlib cannot be imported: {error}.") from error


def put_out(runs: Sequence[Run], options: argparse.Namespace) -> bool:
    """Write all requested outputs and report those that failed; returns whether all were written."""
    return all([_done(step) for step in _steps(runs, options)])


def _steps(runs: Sequence[Run], options: argparse.Namespace) -> Iterator[Callable[[], None]]:
    """The outputs in order: files first, so that an error on standard output does not affect them."""
    if options.csv not in (None, STANDARD_OUTPUT):
        yield lambda: write_whole(options.csv, _csv(runs).encode())
    if options.json not in (None, STANDARD_OUTPUT):
        yield lambda: save(runs, options.json)
    if options.plot:
        yield lambda: _plot(runs, options.plot)
    if options.report:
        yield lambda: _page(runs, options.report, options.language)
    yield lambda: _standard_output(runs, options)


def _done(step: Callable[[], None]) -> bool:
    try:
        step()
    except LabError as error:
        complain(error)
        return False
    except Exception as error:  # matplotlib may raise anything, and the other outputs must still be written
        complain(f"A figure could not be drawn: {type(error).__name__}: {error}")
        return False
    return True


def _standard_output(runs: Sequence[Run], options: argparse.Namespace) -> None:
    try:
        _print(runs, options)
        sys.stdout.flush()
    except BrokenPipeError:  # the program that reads our output has closed it
        emptied(sys.stdout)
    except OSError as error:
        emptied(sys.stdout)
        raise LabError(f"Standard output could not be written: {error.strerror or error}.") from error


def _print(runs: Sequence[Run], options: argparse.Namespace) -> None:
    """With `--json` or `--csv` alone, standard output holds nothing else."""
    if options.json == STANDARD_OUTPUT:
        sys.stdout.write(json.dumps(document(runs), ensure_ascii=False) + "\n")
    elif options.csv == STANDARD_OUTPUT:
        sys.stdout.write(_csv(runs))
    elif not options.quiet:
        screen = Screen(no_color=options.no_color or None, width=columns(sys.stdout), height=25)
        show(runs, screen)
        if options.wire:
            show_wires(runs, screen)


def _csv(runs: Sequence[Run]) -> str:
    text = io.StringIO()
    write_csv(runs, text)
    return text.getvalue()


def _plot(runs: Sequence[Run], path: str) -> None:
    from lab.figures.comparison import plot  # matplotlib is loaded only when something is drawn

    plot(runs, path)


def _page(runs: Sequence[Run], path: str, language: str | None) -> None:
    from lab.figures.html_report import write

    write(runs, path, language)
