"""What a run puts out, on disks that are full, folders that are closed and pipes that end early."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

import lab
from lab.cli import main
from lab.errors import BadInput, BadParameter
from lab.experiment import session
from lab.experiment.terminal import Lossy, columns
from lab.results.writing import CannotWrite, check, write_whole
from tests.support.command import PATIENCE_S
from tests.support.lab_process import ROOT
from tests.support.small_disk import SmallDisk

RECORD = ROOT / "notebooks" / "data"
QUICK = ["--mode", "sse", "-c", "2", "-r", "5", "-d", "1s", "--redis", "private"]
unix_only = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@pytest.fixture(scope="module")
def runs():
    """Recorded runs of all techniques."""
    return lab.load(sorted(RECORD.glob("*.json"))[0])


@pytest.fixture
def measured(monkeypatch, runs):
    """A command line whose runs are recorded ones; `end` is done where the run would end."""

    def measured(*arguments, end=lambda: None):
        def instead(*_, **__):
            end()
            return runs

        monkeypatch.setattr(session, "run_rounds", instead)
        return main(["--mode", "all", *arguments])

    return measured


@contextmanager
def standard(name, target):
    """This standard stream goes to a file for the length of the block."""
    usual = getattr(sys, name)
    with open(target, "w", encoding="utf-8") as stream:
        setattr(sys, name, stream)
        try:
            yield
        finally:
            setattr(sys, name, usual)


@pytest.fixture
def disk():
    """A disk of 64 kB."""
    try:
        small = SmallDisk(64 * 1024)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets us have no small disk")
    yield small
    small.close()


FILES = {"--json": "r.json", "--csv": "r.csv", "--plot": "p.png", "--report": "r.html"}
QUICKLY_WRITTEN = ("--json", "--csv")


def others(folder, but):
    """The options of other files, and those files."""
    named = [(option, folder / FILES[option]) for option in QUICKLY_WRITTEN if option != but]
    return [part for option, file in named for part in (option, str(file))], [file for _, file in named]


def gone(folder):
    """Take a folder away."""
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


@pytest.mark.parametrize("option", FILES)
def test_a_folder_that_vanishes_during_the_run_costs_one_file(measured, tmp_path, capsys, option):
    """That file is named in a sentence, the exit code is 1, and the table and all other files are there."""
    lost = tmp_path / "lost"
    lost.mkdir()
    arguments, files = others(tmp_path, option)
    assert measured(option, str(lost / FILES[option]), *arguments, end=lambda: gone(lost)) == 1
    said = capsys.readouterr()
    assert "could not be written: no such file or directory" in said.err and said.err.count("\n") == 1
    assert "Nothing lost" in said.out and all(file.stat().st_size for file in files)


@unix_only
@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_a_device_that_is_full_costs_one_file(measured, tmp_path, capsys, option):
    """/dev/full is no plain file; it is written to as it is, and stays what it is."""
    arguments, files = others(tmp_path, option)
    assert measured(option, "/dev/full", *arguments) == 1
    said = capsys.readouterr()
    assert said.err == "run_lab.py: '/dev/full' could not be written: no space left on device.\n"
    assert "Nothing lost" in said.out and all(file.stat().st_size for file in files)
    assert Path("/dev/full").is_char_device()


@unix_only
@pytest.mark.parametrize("how", [[], ["--json"], ["--csv", "-"]])
def test_standard_output_that_is_full_is_reported(measured, tmp_path, capsys, how):
    """Table, JSON or CSV: a sentence and exit code 1, and the files are written all the same."""
    arguments, files = others(tmp_path, (how or [None])[0])
    with standard("stdout", "/dev/full"):
        assert measured(*how, *arguments) == 1
    assert "Standard output could not be written: No space left" in capsys.readouterr().err
    assert all(file.stat().st_size for file in files)


@unix_only
def test_standard_error_that_is_full_changes_nothing(measured, capsys):
    """An error that cannot be printed is dropped, and the exit code is the run's."""
    with standard("stderr", "/dev/full"):
        assert measured("--json", "/dev/full") == 1
        assert measured() == 0
    assert capsys.readouterr().out.count("Nothing lost") == 2


def test_quiet_wants_no_standard_output(measured, capsys):
    """With `--quiet` nothing is printed."""
    assert measured("--quiet") == 0 and capsys.readouterr() == ("", "")


def test_csv_alone_on_standard_output(measured, capsys, runs):
    """`--csv -` is a header and a line for each run, and nothing else; `--json -` is `--json`."""
    assert measured("--csv", "-") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(runs)
    assert measured("--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "pushlab.run/1"


def test_a_figure_that_cannot_be_drawn_costs_itself(measured, monkeypatch, tmp_path, capsys):
    """Whatever matplotlib raises, the table is printed and the exit code is 1."""
    monkeypatch.setattr(import_module("lab.figures.comparison"), "comparison", lambda runs: 1 / 0)
    assert measured("--plot", str(tmp_path / "p.png"), "--csv", str(tmp_path / "r.csv")) == 1
    said = capsys.readouterr()
    assert "could not be drawn" in said.err and "Nothing lost" in said.out and (tmp_path / "r.csv").exists()


def test_a_disk_that_fills_up_leaves_the_old_file(disk, runs):
    """Half of a new file never takes the place of a whole old one, and nothing else is left behind."""
    file = disk.folder / "r.json"
    file.write_text("old")
    disk.fill()
    with pytest.raises(CannotWrite, match="no space left on device"):
        lab.save(runs, file)
    assert file.read_text() == "old" and {one.name for one in disk.folder.iterdir()} == {"r.json", "ballast"}


def test_saving_from_python_reports_what_is_wrong(runs, tmp_path):
    """`lab.save` raises an error of the lab in one sentence for every name that cannot be written."""
    for wrong in (tmp_path, tmp_path / "no" / "r.json", tmp_path / ("x" * 300), "a\0b", ""):
        with pytest.raises(CannotWrite, match="could not be written"):
            lab.save(runs, wrong)
    with pytest.raises(BadParameter, match="no runs"):
        lab.save([], tmp_path / "r.json")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_with_its_permissions(tmp_path):
    """The new file may be read by those who might read the old one; a link stays a link."""
    file, link = tmp_path / "r", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(link, b"new")
    assert link.is_symlink() and file.read_text() == "new" and file.stat().st_mode & 0o777 == 0o640
    assert {one.name for one in tmp_path.iterdir()} == {"r", "link"}


def test_what_can_be_known_is_known_before_the_run(tmp_path):
    """A name that cannot be written is found out without leaving anything; an old file is not touched."""
    (tmp_path / "old").write_text("old")
    assert check(tmp_path / "new") is None and check(tmp_path / "old") is None and check("/dev/null") is None
    wrong = ["", tmp_path, tmp_path / "no" / "r", tmp_path / "old" / "r", tmp_path / ("x" * 300), "a\0b"]
    assert all(check(name) for name in wrong)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def run_lab(shell):
    """Run a line of shell in which $LAB is the command of a short run; nothing in it is a traceback."""
    command = " ".join([sys.executable, str(ROOT / "run_lab.py"), *QUICK])
    environment = os.environ | {"LAB": command}
    done = subprocess.run(
        ["bash", "-c", shell],
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,  # figures are drawn too
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix is wanted")
def test_a_pipe_that_ends_early_costs_no_file(tmp_path):
    """`| head -1` has read enough: exit code 0, and both files are there."""
    files = tmp_path / "r.html", tmp_path / "p.png"
    done = run_lab(f"$LAB --report {files[0]} --plot {files[1]} | head -1; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0 and done.stderr == ""
    assert len(done.stdout.splitlines()) == 1 and all(file.stat().st_size for file in files)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix is wanted")
def test_closed_streams_stop_nothing(tmp_path):
    """With all three standard streams closed the run is made and its file written."""
    assert run_lab(f"$LAB --csv {tmp_path / 'r.csv'} <&- >&- 2>&-").returncode == 0
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix is wanted")
def test_json_wants_a_standard_output():
    """`--json` with standard output closed is reported before anything runs."""
    done = run_lab("$LAB --json >&-")
    assert done.returncode == 2 and "Standard output is closed" in done.stderr


def test_a_terminal_that_is_gone_swallows_the_progress(tmp_path):
    """What cannot be shown of the progress is dropped, and nothing is raised."""
    with open(tmp_path / "closed", "w") as closed:
        lossy = Lossy(closed)
    assert lossy.write("text") == 4 and lossy.flush() is None


@pytest.mark.parametrize("bom", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_record_is_loaded_in_the_encoding_that_its_mark_names(tmp_path, runs, bom):
    """UTF-8 with or without a mark, and UTF-16 as PowerShell 5 writes it; without a mark it must be UTF-8."""
    lab.save(runs, tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text("utf-8")
    (tmp_path / "r.json").write_text(text, bom)
    if bom.endswith(("le", "be")):
        with pytest.raises(BadInput, match="holds no runs"):
            lab.load(tmp_path / "r.json")
    else:
        assert lab.load(tmp_path / "r.json") == runs


@pytest.mark.parametrize(
    ("named", "found"), [("0", 80), ("", 80), ("wide", 80), ("-5", 80), ("40", 40), ("9" * 40, 10_000)]
)
def test_the_columns_of_a_terminal(monkeypatch, tmp_path, named, found):
    """`COLUMNS` when it is a number above 0; a file has 80."""
    monkeypatch.setenv("COLUMNS", named)
    with open(tmp_path / "file", "w") as file:
        assert columns(file) == found
