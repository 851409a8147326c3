"""A student's program may do everything wrong: it gets one sentence, and nothing of it is left running."""

import time

import pytest
from rich.console import Console

from lab.exercises import EXERCISES
from lab.exercises.limits import Limits
from lab.exercises.mismatch import Mismatch
from lab.exercises.screen import Screen
from lab.exercises.steps import check_program
from lab.exercises.texts import Texts
from lab.exercises.transcript import result_lines
from lab.languages import CHINESE, ENGLISH
from tests.support.leftovers import Mark

LISTEN = 'import os, socket; server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))\n'
FORK = "import os, time\nif not os.fork():\n    os.setsid()\n    time.sleep(600)\n"
BLOCK = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
SHORT = Limits(listen_s=1.0, step_s=1.5, end_s=0.2)
STRANGERS = {
    "never listens": ("import time; time.sleep(600)", "silent_port"),
    "another port": (
        "import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(600)",
        "other_port",
    ),
    "a megabyte": ("while True: print('x' * 100_000)", "flood"),
    "a megabyte of errors": (f"{LISTEN}import sys; sys.stderr.write('x' * 2_000_000); input()", "flood"),
    "forks": (f"{FORK}{LISTEN}time.sleep(600)", "silence"),
    "forks and dies": (f"{FORK}raise SystemExit(5)", "ended"),
    "ignores SIGTERM": (f"{BLOCK}{LISTEN}time.sleep(600)", "silence"),
    "dies": ("raise SystemExit(3)", "ended"),
    "does not parse": ("def main(:", "ended"),
    "reads its input": ("input()", "stdin"),
    "all memory": ("x = bytearray(1 << 40)", "memory"),
    "a busy loop": (f"{LISTEN}while True: pass", "busy"),
    "closes at once": (f"{LISTEN}while True: server.accept()[0].close()", "closed"),
    "answers garbage": (f"{LISTEN}while True: server.accept()[0].sendall(bytes(range(256)) * 50)", "closed"),
    "answers without end": (
        f"{LISTEN}c = server.accept()[0]\nwhile True: c.sendall(bytes(65_536))",
        "endless",
    ),
}
"""What a program does wrong, and the key of its sentence."""
FIXED = "HTTP/1.1 101 x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\x1b[2J: red\\r\\n\\r\\n"


def written(path, source):
    """A program in this file."""
    path.write_text(source, encoding="utf-8")
    return path


@pytest.mark.parametrize("habit", STRANGERS)
def test_it_gets_one_sentence_and_is_gone(habit, tmp_path, monkeypatch):
    """Whatever the program does, the check ends soon, says what is wrong, and leaves no process."""
    mark = Mark()
    for name, value in mark.environment.items():
        monkeypatch.setenv(name, value)
    source, key = STRANGERS[habit]
    began = time.monotonic()
    result = check_program(EXERCISES["echo"], written(tmp_path / "echo.py", source), 1, SHORT)
    assert time.monotonic() - began < 60
    said = [result.failure.mismatch.said, result.failure.trouble]
    assert key in [one.key for one in said if one]
    for language in (ENGLISH, CHINESE):
        for one in filter(None, said):
            assert Texts(language, "echo").sentence(one) != f"wrong.{one.key}"
    assert mark.alive() == []


def test_the_sentence_names_the_port(tmp_path):
    """A program at another port learns both numbers."""
    source = STRANGERS["another port"][0]
    result = check_program(EXERCISES["echo"], written(tmp_path / "echo.py", source), 1, SHORT)
    values = result.failure.trouble.values
    assert values["found"] != values["port"] and values["port"] == result.failure.mismatch.said.values["port"]


def test_only_the_students_own_lines_are_shown(tmp_path, capsys):
    """A traceback is shown without the lines of libraries, and cannot change the terminal."""
    source = "import json\n\ndef read():\n    json.loads('\\x1b[2J')\n\nread()\n"
    result = check_program(EXERCISES["echo"], written(tmp_path / "echo.py", source), 1, SHORT)
    assert result.failure.lines[0] == "echo.py:6: read()"
    assert result.failure.lines[1].startswith("echo.py:4: json.loads(")
    assert result.failure.lines[2].startswith("json.decoder.JSONDecodeError: Expecting value")
    Screen(Console(no_color=True)).show(result_lines(result, Texts(ENGLISH, "echo")))
    assert "site-packages" not in (shown := capsys.readouterr().out) and "\x1b" not in shown


def test_control_characters_in_a_response_are_not_printed(tmp_path, capsys):
    """A response cannot clear the teacher's screen."""
    source = f'{LISTEN}while True:\n    c = server.accept()[0]; c.recv(4096); c.sendall(b"{FIXED}")'
    result = check_program(EXERCISES["handshake"], written(tmp_path / "handshake.py", source), 1, SHORT)
    Screen(Console(no_color=True)).show(result_lines(result, Texts(ENGLISH, "handshake")))
    assert "\x1b" not in capsys.readouterr().out


def test_it_has_keys_of_its_own(tmp_path):
    """Each run has another prefix for its keys in Redis, and a Redis to use."""
    seen = set()
    source = "import os; raise SystemExit(print(os.environ['KEY_PREFIX'], os.environ['REDIS_URL']))"
    for _ in range(2):
        trial = trial_of(written(tmp_path / "echo.py", source))
        try:
            with pytest.raises(Mismatch):
                trial.connect()
            seen.add(trial.program.stdout.text(wait_s=5))
        finally:
            trial.end()
    assert len(seen) == 2 and all(text.startswith("exercise:") and "redis" in text for text in seen)


def trial_of(path):
    """A check that has not begun."""
    from lab.exercises.steps import Trial
    from lab.exercises.student import Student

    return Trial(lambda limits, settings: Student(path, limits, settings), 1, SHORT)
