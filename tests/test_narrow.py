"""Terminals of any width: nothing is cut, and no number is broken in two."""

import io
import os
import re
import subprocess
import sys

import pytest
from rich.console import Console

import lab
from lab.experiment.terminal import open_standard_streams
from lab.options import make_parser
from lab.results.table import row, show
from tests.support.lab_process import ROOT

RECORD = sorted((ROOT / "notebooks" / "data").glob("*.json"))[0]
ONE_RUN = ["--mode", "sse", "-c", "2", "-r", "5", "-d", "1s", "--redis", "private", "--no-color"]


@pytest.fixture(scope="module")
def runs():
    """Recorded runs of all techniques."""
    return lab.load(RECORD)


def printed(runs, width):
    """The lines of what a terminal of this width shows."""
    text = io.StringIO()
    show(runs, Console(file=text, width=width, height=25))
    return text.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 24, 33, 34, 40, 41, 50, 60, 78])
def test_no_line_is_wider_than_the_terminal(runs, width):
    """So the terminal breaks none."""
    assert max(map(len, printed(runs, width))) <= width


@pytest.mark.parametrize("width", [1, 10, 20, 34, 40, 60, 78, 79, 80, 500])
def test_every_figure_is_there_in_one_piece(runs, width):
    """Each number of the table, and each prediction, whole, with its technique."""
    shown = re.split(r"\s+", " ".join(printed(runs, width)))
    for run in runs:
        assert set(row(run.mode, [run])) <= set(shown)
    assert shown.count("theory") >= 3 and shown.count("latency") >= 1 and "Nothing" in shown


def test_from_80_columns_on_nothing_changes(runs):
    """A wider terminal shows the same as one of 80 columns."""
    assert printed(runs, 80) == printed(runs, 500) == printed(runs, 79)


@pytest.mark.parametrize("width", [20, 40])
def test_several_rounds_show_their_intervals(runs, width):
    """The intervals over rounds are shown on a narrow terminal, too."""
    assert "bootstrap" in " ".join(printed([*runs, *runs], width))


@pytest.mark.parametrize(
    "environment",
    [
        {"COLUMNS": "0"},
        {"COLUMNS": "wide"},
        {"COLUMNS": "-1"},
        {"LINES": "0", "COLUMNS": ""},
        {"COLUMNS": "80"},
    ],
)
def test_a_terminal_that_does_not_know_its_width_has_80_columns(monkeypatch, environment):
    """The help is as in 80 columns; what is measured is printed (see below for a run)."""
    monkeypatch.setenv("COLUMNS", "80")
    usual = make_parser().format_help()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert make_parser().format_help() == usual


@pytest.mark.parametrize("width", ["1", "20", "40", "500"])
def test_the_help_fits(monkeypatch, width):
    """Every option is named at every width."""
    monkeypatch.setenv("COLUMNS", width)
    text = make_parser().format_help()
    assert "--clients" in text and "--report" in text and "python run_lab.py --mode longpoll" in text


@pytest.mark.parametrize("environment", [{"COLUMNS": "0", "LINES": "0"}, {"COLUMNS": "40"}])
def test_a_run_prints_its_table(environment):
    """With COLUMNS=0, which is no width, and with 40."""
    done = subprocess.run(
        [sys.executable, "run_lab.py", *ONE_RUN],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0 and "Nothing lost" in done.stdout and "requests" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= (int(environment["COLUMNS"]) or 79)


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is wanted")
def test_a_terminal_of_no_size_shows_progress_and_table():
    """A pseudo-terminal of 0 × 0, as some programs open it."""
    import pty

    said = []

    def read(descriptor):
        said.append(os.read(descriptor, 4096))
        return said[-1]

    saved = os.environ.pop("COLUMNS", None)
    try:
        code = pty.spawn([sys.executable, str(ROOT / "run_lab.py"), *ONE_RUN], read)
    finally:
        os.environ |= {"COLUMNS": saved} if saved else {}
    assert code == 0 and "requests" in b"".join(said).decode()


def test_open_streams_stay_as_they_are():
    """Where all three are open nothing is put in their place."""
    before = sys.stdout, sys.stderr
    assert open_standard_streams() and before == (sys.stdout, sys.stderr)
