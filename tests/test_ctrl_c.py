"""Ctrl-C in the classroom: it asks once more at a terminal with users in the room, and only then."""

import os
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress

import pytest

from tests.support.lab_process import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is wanted")

COMMAND = [sys.executable, "run_lab.py", "--port", "0", "--redis", "private", "--no-browser"]
COMMAND += ["--no-demo"]
QUESTION = "Press Ctrl-C again within 3 s"
CTRL_C = b"\x03"
PATIENCE_S = 30.0


class Terminal:
    """The classroom as a user at a terminal runs it; with `piped` its output goes elsewhere."""

    def __init__(self, piped=False):
        self.here, theirs = os.openpty()
        output = subprocess.PIPE if piped else theirs
        self.process = subprocess.Popen(
            COMMAND, cwd=ROOT, stdin=theirs, stdout=output, stderr=subprocess.STDOUT, preexec_fn=take_terminal
        )
        os.close(theirs)
        self.output = self.process.stdout.fileno() if piped else self.here
        self.said, self.stream = "", None
        self.address = self.read_until(r"http://127\.0\.0\.1:\d+").group()

    def read_until(self, pattern):
        """Read until the output matches; returns the match."""
        until = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.said)):
            assert time.monotonic() < until, self.said
            self.read()
        return found

    def read(self):
        """Read the output that has come meanwhile."""
        with suppress(OSError):  # of a terminal that no process writes to any more
            if select.select([self.output], [], [], 0.1)[0]:
                self.said += os.read(self.output, 4096).decode()

    def enter(self):
        """A user enters, and stays until the terminal closes."""
        self.stream = urllib.request.urlopen(f"{self.address}/sse?client=a&username=Anna", timeout=PATIENCE_S)

    def press(self):
        """Press Ctrl-C."""
        os.write(self.here, CTRL_C)

    def insist(self):
        """Press again, and again when a busy machine took so long that it asks again, until it ends."""
        asked = 0
        while asked < self.said.count(QUESTION):
            asked = self.said.count(QUESTION)
            self.press()
            while self.process.poll() is None and asked == self.said.count(QUESTION):
                self.read()

    def close_window(self):
        """Close the terminal, as its window does."""
        os.close(self.here)
        self.here = None

    def ended(self):
        """The exit code, once it has ended."""
        return self.process.wait(PATIENCE_S)

    def close(self):
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait()
        if self.here is not None:
            os.close(self.here)
        for open_still in filter(None, (self.stream, self.process.stdout)):
            open_still.close()


def take_terminal():
    """Make the pseudo-terminal the one whose Ctrl-C reaches this process."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal():
    """Open terminals; they are closed at the end of the test."""
    opened = []

    def terminal(**how):
        opened.append(Terminal(**how))
        return opened[-1]

    yield terminal
    for one in opened:
        one.close()


def test_with_users_here_it_is_asked_once_more(terminal):
    """The first Ctrl-C says how many are here and the lab goes on; the second one in time ends it."""
    classroom = terminal()
    classroom.enter()
    classroom.press()
    assert classroom.read_until(r"(\d+ \w+ \w+) connected. " + re.escape(QUESTION))[1] == "1 person is"
    with urllib.request.urlopen(f"{classroom.address}/healthz", timeout=PATIENCE_S) as answer:
        assert answer.status == 200
    classroom.insist()
    assert classroom.ended() == 0


def test_in_an_empty_room_it_ends_at_once(terminal):
    """An empty room needs no question."""
    classroom = terminal()
    classroom.press()
    assert classroom.ended() == 0
    assert QUESTION not in classroom.said


def test_without_a_terminal_there_is_no_question(terminal):
    """Without a terminal the first signal ends it."""
    classroom = terminal(piped=True)
    classroom.enter()
    classroom.press()
    assert classroom.ended() == 0
    assert QUESTION not in classroom.said + classroom.process.stdout.read().decode()


def test_sigterm_is_never_asked_back(terminal):
    """SIGTERM comes from a program: there is no question."""
    classroom = terminal()
    classroom.enter()
    classroom.process.send_signal(signal.SIGTERM)
    assert classroom.ended() == 0


def test_a_closed_terminal_ends_it_in_order(terminal):
    """The window is closed: listeners get a bye, and the exit code is 0, although all output fails."""
    classroom = terminal()
    classroom.enter()
    classroom.close_window()
    assert b"event: bye" in classroom.stream.read()
    assert classroom.ended() == 0


def test_without_standard_input_there_is_no_terminal(monkeypatch):
    """A lab that was started with its input closed (`<&-`) has no terminal."""
    from lab.server import confirm_exit

    monkeypatch.setattr(sys, "stdin", None)
    assert not confirm_exit.at_a_terminal()


def test_a_second_press_too_late_is_a_first_one(monkeypatch):
    """After three seconds the question is asked again."""
    from lab.room.presence import Presence
    from lab.server import confirm_exit

    class Moment:
        now = 100.0

        def time(self):
            return self.now

    class Here:
        presence = Presence()

    monkeypatch.setattr(confirm_exit, "at_a_terminal", lambda: True)
    monkeypatch.setattr(confirm_exit.asyncio, "get_running_loop", Moment)
    Here.presence.enter("a", "Anna", "sse", 100.0)
    stops = []
    pressed = confirm_exit.ConfirmExit(Here(), lambda: stops.append(Moment.now))
    for Moment.now in (100.0, 103.5, 106.0):
        pressed()
    assert stops == [106.0]
