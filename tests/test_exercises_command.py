"""`--exercise` as a student and a teacher use it: list, copy, check, hint, watch, marks."""

import json
import os
import shutil
import sys
import time

import pytest

from lab.cli import main
from lab.exercises import EXERCISES
from lab.exercises.screen import wrapped
from lab.languages import CHINESE, ENGLISH, system_language
from tests.support.command import Command
from tests.support.lab_process import ROOT

ANSWERS = ROOT / "tests" / "answers"
START = EXERCISES["echo"].start.read_text("utf-8")


@pytest.fixture
def student(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; returns exit code and what was printed."""
    monkeypatch.chdir(tmp_path)

    def run(*options):
        code = main(["--language", "en", *options])
        return code, capsys.readouterr()

    return run


def test_the_list_shows_all(student, tmp_path):
    """Without a word the exercises are listed with title and minutes, and what is done."""
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / ".progress.json").write_text('{"echo": {"passed": true}, "mute": 3}', "utf-8")
    code, shown = student("--exercise")
    assert code == 0
    rows = [line.split()[:3] for line in shown.out.splitlines()[: len(EXERCISES)]]
    assert rows == [["✓" if e.name == "echo" else "·", e.name, str(e.minutes)] for e in EXERCISES.values()]


def test_the_first_run_copies_prints_and_fails(student, tmp_path):
    """The start is copied, the task printed, the check run at once; a program that is there stays."""
    code, shown = student("--exercise", "echo")
    assert code == 1
    assert (tmp_path / "my" / "echo.py").read_text("utf-8") == START
    for part in (
        "An echo server",
        "→ 82 82 37 fa 21 3d 37 05",
        "step 6 of 9",
        "  6 ✗ sent      82 88 ",
        "--seed",
    ):
        assert part in shown.out
    shutil.copy(ANSWERS / "echo.py", tmp_path / "my" / "echo.py")
    code, shown = student("--exercise", "echo")
    assert (code, shown.err) == (0, "")
    assert "all 9 steps passed" in shown.out
    assert (tmp_path / "my" / "echo.py").read_text("utf-8") != START
    assert json.loads((tmp_path / "my" / ".progress.json").read_text("utf-8"))["echo"]["tries"] == 2


def test_hints_come_one_after_the_other(student):
    """Three hints, and then the third again."""
    found = [student("--exercise", "echo", "--hint")[1].out for _ in range(4)]
    assert [text[:11] for text in found] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    "options",
    [
        ["--exercise", "unknown"],
        ["--exercise", "echo", "--mode", "sse"],
        ["--watch"],
        ["--exercise", "all", "--hint"],
        ["--exercise", "--exercise-path", "nowhere"],
        ["--exercise", "echo", "--language", "tlh"],
    ],
)
def test_wrong_usage_exits_2(student, options):
    """A sentence on standard error, no traceback, exit code 2."""
    code, shown = student(*options)
    assert code == 2
    assert shown.err and "Traceback" not in shown.err


def test_a_folder_that_cannot_be_written_is_a_sentence(student, tmp_path):
    """No traceback where the folder is a file."""
    (tmp_path / "file").write_text("", "utf-8")
    code, shown = student("--exercise", "echo", "--folder", "file")
    assert code == 1
    assert "cannot be created" in shown.err and "Traceback" not in shown.err


def test_marks_are_json_alone(student, tmp_path):
    """`--exercise all --json` has a line for each exercise, and nothing else is on standard output."""
    folder = tmp_path / "submitted"
    folder.mkdir()
    shutil.copy(ANSWERS / "handshake.py", folder)
    (folder / "echo.py").write_text("raise SystemExit", "utf-8")
    code, shown = student("--exercise", "all", "--folder", str(folder), "--seed", "3", "--json")
    marks = json.loads(shown.out)
    assert code == 1 and marks["schema"] == "pushlab.exercises/1"
    rows = {row["exercise"]: row for row in marks["exercises"]}
    assert list(rows) == list(EXERCISES)
    assert rows["handshake"]["done"] and rows["handshake"]["passed"] == rows["handshake"]["steps"] == 8
    assert rows["handshake"]["seed"] == 3
    assert (rows["echo"]["done"], rows["echo"]["step"], rows["echo"]["passed"]) == (False, "connect", 0)
    assert not rows["mute"]["program"] and rows["mute"]["step"] is None
    assert {path.name for path in folder.iterdir()} == {"handshake.py", "echo.py"}


def test_one_chinese_character_is_two_columns(tmp_path):
    """Chinese text is broken between any two characters, but not before its punctuation."""
    assert list(wrapped("程序是聊天室。", 12)) == ["程序是聊天", "室。"]
    assert list(wrapped("see /chat，用", 9, 2)) == ["see", "  /chat，", "  用"]


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, CHINESE),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_TW"}, CHINESE),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, ENGLISH),
    ],
)
def test_the_language_is_the_systems(monkeypatch, variables, language):
    """Without `--language` the system's variables decide, in their order."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert system_language() == language


def test_an_ascii_terminal_gets_ascii(tmp_path):
    """In another encoding there is no crash and no question mark for a sign of the lab's own."""
    command = [sys.executable, ROOT / "run_lab.py", "--exercise", "--language", "en"]
    with Command(*command, cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0") as running:
        code, out, err = running.ended()
    assert (code, err) == (0, "") and out.isascii() and "?" not in out


@pytest.mark.skipif(os.name != "posix", reason="a terminal of the system's own")
def test_watching_checks_at_each_save(tmp_path):
    """`--watch` on a terminal: a check at each save, and keys for hint, bytes, reset, next and the end."""
    import pty

    mine, its = pty.openpty()
    command = [sys.executable, ROOT / "run_lab.py", "--exercise", "echo", "--watch", "--language", "en"]
    with Command(*command, cwd=tmp_path, stdin=its, NO_COLOR="1", BROWSER="true") as running:
        shown = Shown(running.process.stdout)
        assert "step 6 of 9" in shown.until("q quit")
        os.write(mine, b"h")
        shown.until("Hint 1 of 3")
        os.write(mine, b"w")
        shown.until("http://127.0.0.1:8000/anatomy#81")
        shutil.copy(ANSWERS / "echo.py", tmp_path / "my" / "echo.py")
        shown.until("all 9 steps passed")
        shown.until("q quit")
        os.write(mine, b"r")
        shown.until("y/n")
        os.write(mine, b"y")
        assert "step 6 of 9" in shown.until("q quit")
        assert (tmp_path / "my" / "echo.old.py").is_file()
        os.write(mine, b"n")
        shown.until("Your program is my/beijing.py")
        assert "step 2 of 6" in shown.until("q quit")
        os.write(mine, b"q")
        code, _, err = running.ended()
    assert (code, err) == (1, "")
    os.close(mine)
    os.close(its)


class Shown:
    """What a command prints, read up to a text."""

    def __init__(self, stream):
        self.stream, self.text = stream, ""

    def until(self, wanted, seconds=60):
        """Everything up to this text, which must come."""
        end = time.monotonic() + seconds
        while wanted not in self.text:
            data = os.read(self.stream.fileno(), 4096)
            assert data and time.monotonic() < end, self.text
            self.text += data.decode(errors="replace")
        found, _, self.text = self.text.partition(wanted)
        return found
