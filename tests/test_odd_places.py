"""The lab in odd places: it starts, measures and ends there as anywhere else."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from lab import subprocesses
from tests.support.lab_process import ROOT
from tests.test_lifecycle import wait_until

PATIENCE_S = 40.0
QUICK = ["--mode", "sse", "-c", "2", "-d", "0.5s", "-r", "4", "--json", "--redis", "private"]
SERVE = ["--no-browser", "--port", "0", "--redis", "private"]
SHADOWS = (
    "redis",
    "json",
    "random",
    "lab",
    "tornado",
    "aiohttp",
    "matplotlib",
    "signal",
    "brotli",
    "hiredis",
)
"""Modules that the lab, or a package of the lab, imports when it finds them."""
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs what only Linux has")


class Running:
    """A command in an odd place: how it was started, and how it ended."""

    def __init__(self, *command, cwd=ROOT, **environment):
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(
            list(map(str, command)),
            cwd=cwd,
            env={name: value for name, value in (os.environ | environment).items() if value is not None},
            start_new_session=True,
            **pipes,
        )

    def ended(self):
        """Wait for the end; returns the exit code and what was written. No traceback is in it."""
        out, err = (
            written.decode(errors="replace") for written in self.process.communicate(timeout=PATIENCE_S)
        )
        assert "Traceback" not in out + err, err
        return self.process.returncode, out, err

    def close(self):
        """Leave nothing behind."""
        self.process.kill()
        self.process.communicate()

    def address(self):
        """Where a lab that serves says that it is."""
        lines = []
        for line in self.process.stdout:
            lines.append(line.decode(errors="replace"))
            if found := re.search(r"Teacher +(\S+)teacher\?token=(\S+)", lines[-1]):
                self.token = found[2]
                return found[1]
        raise AssertionError(lines)


def start_lab(*options, flags=(), **where):
    """Start `run_lab.py` by its path."""
    return Running(sys.executable, *flags, ROOT / "run_lab.py", *options, **where)


def measures(running):
    """Whether a measured run did what it should: all is delivered, and the output is JSON alone."""
    code, out, err = running.ended()
    assert (code, err) == (0, "")
    run = json.loads(out)["runs"][0]
    return run["delivered"] == run["expected"] > 0


def serves(running):
    """Whether a lab that serves answers, and ends when it is told to."""
    with urllib.request.urlopen(running.address() + "healthz", timeout=PATIENCE_S) as answer:
        assert answer.status == 200
    running.process.send_signal(signal.SIGTERM)
    return running.ended()[0] == 0


# What lies in the current folder ------------------------------------------------------------------


@pytest.fixture
def shadows(tmp_path):
    """A folder with files that are called like modules; who imports one leaves a trace."""
    for name in SHADOWS:
        trace = (
            f"open({str(tmp_path / 'trace')!r}, 'a').write('{name} ')\nraise RuntimeError('a file of mine')\n"
        )
        (tmp_path / f"{name}.py").write_text(trace, encoding="utf-8")
    yield tmp_path
    assert not (tmp_path / "trace").exists(), (tmp_path / "trace").read_text()


@pytest.mark.parametrize("pythonpath", ["", os.pathsep, os.curdir, f"{os.pathsep}{os.sep}no-such-folder"])
def test_a_measured_run_imports_nothing_from_the_current_folder(pythonpath, shadows):
    """A student's `redis.py` is left alone, also when an empty entry of PYTHONPATH means that folder."""
    assert measures(start_lab(*QUICK, cwd=shadows, PYTHONPATH=pythonpath))


def test_a_lab_that_serves_imports_nothing_from_the_current_folder(shadows):
    """Neither do the simulated students, the slow link before them, or the process that draws."""
    running = start_lab(*SERVE, cwd=shadows)
    address = running.address()
    crew = ask(running, address + "teacher/crew", {"do": "start", "each": 1, "words": ["sse"], "rtt_ms": 10})
    assert crew["students"] == 1
    wait_until(lambda: count_open(address) == 1, "the simulated student listens")
    assert b"<svg" in ask(running, address + "teacher/meters.svg")
    running.process.send_signal(signal.SIGTERM)
    assert running.ended()[0] == 0


def count_open(address):
    """How many receive by server-sent events."""
    with urllib.request.urlopen(address + "meters", timeout=PATIENCE_S) as answer:
        return json.load(answer)["techniques"]["sse"]["open"]


def ask(running, url, wanted=None):
    """Ask as the teacher's script; returns the answer, read when it is JSON."""
    data = None if wanted is None else json.dumps(wanted).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {running.token}"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=PATIENCE_S) as answer:
        return answer.read() if data is None else json.load(answer)


@pytest.mark.parametrize("entry", ["", ".", "here", "link"])
def test_the_search_path_of_a_child_is_without_the_current_folder(entry, tmp_path, monkeypatch):
    """However the current folder got into the search path, a child process does not look there."""
    (tmp_path / "link").symlink_to(tmp_path)
    places = {"here": str(tmp_path), "link": str(tmp_path / "link")}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [places.get(entry, entry), "/packages", "inner"])
    assert subprocesses.search_path() == ["/packages", str(tmp_path / "inner")]


def test_the_search_path_of_a_child_keeps_the_lab(monkeypatch):
    """Started in its own folder, the lab is found all the same."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", ["", "/packages"])
    assert list(map(Path, subprocesses.search_path())) == [ROOT, Path("/packages")]
