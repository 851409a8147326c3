"""The lab in odd places: it starts, measures and ends there as anywhere else."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import run_lab
from lab import subprocesses
from tests.support.command import PATIENCE_S, measures, start_lab
from tests.support.lab_process import HALF_WRITTEN, ROOT
from tests.support.leftovers import Mark
from tests.support.redis_server import free_port
from tests.support.run_lab import SERVE
from tests.support.waiting import wait_until

RUN = ["--mode", "sse", "-c", "2", "-d", "0.5s", "-r", "4", "--redis", "private"]
QUICK = [*RUN, "--json"]
SHADOWS = ("redis", "json", "random", "lab", "tornado", "aiohttp", "matplotlib", "signal", "brotli")
"""Modules that the lab, or a package of the lab, imports when it finds them."""
ODD_NAME = '-it\'s a "课堂" 100% {x} $HOME;'
READ_ONLY = f"mount --bind '{ROOT}' '{ROOT}' && mount -o remount,ro,bind '{ROOT}' && ! touch '{ROOT}/x' 2>&-"
"""Makes the checkout read-only, also for root, in a mount namespace of its own."""
LONG = "t" * 120
"""A name so long that no Unix socket in this folder has a path that the system takes."""


# Where it is started ------------------------------------------------------------------------------


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
PLACES = {
    "an odd folder": {
        "folder": ODD_NAME,
        "shell": "umask 077",
        "TERM": "dumb",
        "COLUMNS": "40",
        **ASCII,
        "TMPDIR": LONG,
    },
    "closed streams": {"shell": "exec <&- >&- 2>&-"},
    "a deleted folder": {
        "shell": "here=$(mktemp -d ./gone.XXXXXX) && cd $here && rmdir ../$here",
        "HOME": None,
        "PYTHONSAFEPATH": "1",
    },
    "256 files": {"shell": "ulimit -n 256", "flags": ["-I", "-O", "-W", "error"]},
    "read-only": {
        "before": ["unshare", "-m"],
        "shell": READ_ONLY,
        "HOME": "/nonexistent",
        "PYTHONWARNINGS": "error",
    },
}


@pytest.mark.skipif(os.name == "nt", reason="prepared by a POSIX shell")
@pytest.mark.parametrize("name", PLACES)
def test_it_starts_measures_and_ends(name, tmp_path):
    """A measured run is whole, a lab that serves answers and ends, and neither leaves a process behind."""
    place, mark, port = dict(PLACES[name]), Mark(), str(free_port())
    if "before" in place and not can_unshare():
        pytest.skip("no mount namespace can be had here")
    root = copied_to(tmp_path / place.pop("folder")) if "folder" in place else ROOT
    if place.get("TMPDIR") == LONG:
        place["TMPDIR"] = str(tmp_path / LONG)
        os.mkdir(place["TMPDIR"])
    where = {"cwd": tmp_path, "root": root} | place | mark.environment
    file = tmp_path / "run.json"
    with (
        start_lab(*SERVE, "--port", port, **where) as serving,
        start_lab(*RUN, "--json", file, **where) as measuring,
    ):
        wait_until(lambda: is_healthy(port), "it answers")
        serving.process.send_signal(signal.SIGTERM)
        assert serving.ended()[0] == 0
        assert measuring.ended()[0] == 0
    (run,) = json.loads(file.read_text("utf-8"))["runs"]
    assert run["delivered"] == run["expected"] > 0
    assert not mark.alive()


def can_unshare():
    """Whether a folder can be made read-only for one process: root can, where the kernel lets it."""
    return subprocess.run(["unshare", "-m", "sh", "-c", READ_ONLY], check=False).returncode == 0


def copied_to(folder):
    """A lab that was installed in this folder."""
    for name in ("lab", "pages"):
        shutil.copytree(ROOT / name, folder / name, ignore=HALF_WRITTEN)
    return Path(shutil.copy2(ROOT / "run_lab.py", folder)).parent


def is_healthy(port):
    """Whether a lab answers at this port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S) as answer:
            return answer.status == 200
    except OSError:
        return False


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


@pytest.mark.parametrize("pythonpath", [None, os.pathsep])
def test_a_measured_run_imports_nothing_from_the_current_folder(pythonpath, shadows):
    """A student's `redis.py` is left alone, also when an empty entry of PYTHONPATH means that folder."""
    with start_lab(*QUICK, cwd=shadows, PYTHONPATH=pythonpath) as running:
        assert measures(running)


def test_a_lab_that_serves_imports_nothing_from_the_current_folder(shadows):
    """Neither do the simulated students, the slow link before them, or the process that draws."""
    with start_lab(*SERVE, "--port", "0", cwd=shadows) as running:
        draw_with_students(running, running.address())
        running.process.send_signal(signal.SIGTERM)
        assert running.ended()[0] == 0


def draw_with_students(running, address):
    """Let a simulated student come, through a slow link, and have the figure drawn."""
    simulated = ask(
        running, address + "teacher/crew", {"do": "start", "each": 1, "words": ["sse"], "rtt_ms": 10}
    )
    assert simulated["students"] == 1
    wait_until(lambda: count_open(address) == 1, "the simulated student listens")
    assert b"<svg" in ask(running, address + "teacher/meters.svg")


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


@pytest.mark.parametrize("pythonpath", ["", ":", ".", ":/more", "/more:", "/more:."])
def test_the_lab_itself_does_not_look_there(pythonpath, tmp_path, monkeypatch):
    """An empty entry of PYTHONPATH, and a dot, are left out; other places stay, and the lab is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", pythonpath.replace(":", os.pathsep))
    monkeypatch.setattr(sys, "path", ["/more", *([str(tmp_path)] if pythonpath else []), "/packages"])
    run_lab.look_only_here()
    assert sys.path == [str(ROOT), "/more", "/packages"]


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
