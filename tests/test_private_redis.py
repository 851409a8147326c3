"""The lab's own Redis serves no other program, and starts in any surroundings, or reports why not."""

import asyncio
import os
import re
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from lab.errors import CannotStart
from lab.server import redis_process
from lab.server.redis_process import PrivateRedis, find, programs, reap
from tests.support.kernel import LISTENING, connections

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux reports what a process listens on"
)


@pytest.fixture(params=list(programs()), ids=lambda program: Path(program).name)
def private(request):
    """A private server by each program that could be one."""
    server = PrivateRedis(request.param)
    yield server
    server.stop()


def sockets(pid):
    """The inodes of a process's sockets."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed at this moment: the probe whether it is up yet
            inodes |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(file)))
    return inodes


def tcp_listeners(pid):
    """The inodes of those sockets that listen on a port."""
    return {row.inode for row in connections(pid) if row.state == LISTENING}


def test_it_listens_on_no_port(private):
    """No other machine, and no page in a browser here, can connect to it."""
    pid = private.process.pid
    assert sockets(pid) and not sockets(pid) & tcp_listeners(pid)


def test_no_other_user_may_open_it(private):
    """Its socket, and the folder in which that stands, are open to this user alone."""
    assert [path.stat().st_mode & 0o077 for path in (private.folder, private.socket)] == [0, 0]


# Odd folders --------------------------------------------------------------------------------------

NAMES = {
    "long": "x" * 107,
    "long by folders": "/".join(["folder"] * 20),
    "long in Chinese": "临时" * 20,
    "spaces": "a b  c",
    "quotes": "a'b\"c",
    "Chinese": "临时文件",
    "leading dashes": "--save",
    "percent": "50%25%2F%",
    "question and number": "a?b#c&d=e",
    "backslash": "a\\nb",
    "colon and at": "u:p@h",
    "stars": "a*[b]",
    "no UTF-8": os.fsdecode(b"\xff\xfe"),
}
each_name = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


@pytest.fixture
def temporary(monkeypatch, tmp_path_factory):
    """Let a folder be the one for temporary files; it is made if it can be."""
    base = Path(tempfile.mkdtemp(prefix="p-"))

    def use(name):
        folder = base / name
        with suppress(OSError):
            folder.mkdir(parents=True)
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setenv("TMPDIR", str(folder))
        return folder

    yield use
    subprocess.run(["rm", "-rf", base], check=True)


@each_name
def test_it_starts_in_any_folder_for_temporary_files(name, temporary):
    """However that is called; where its path is too long for a socket, in a shorter one."""
    folder = temporary(name)
    backend = asyncio.run(find("private"))
    try:
        place = backend.private.folder
        assert "private" in backend.words and len(os.fsencode(backend.private.socket)) < 104
        assert (place.parent == folder) == (len(os.fsencode(folder)) < 68 and name.isprintable())
    finally:
        backend.stop()
    assert not place.exists()


@pytest.mark.parametrize("how", ["missing", "a file", "empty", "dash"])
def test_it_starts_without_a_folder_for_temporary_files(how, temporary, monkeypatch, tmp_path):
    """Where the one that is named cannot be used, another is."""
    folder = temporary("x")
    folder.rmdir()
    if how == "a file":
        folder.touch()
    if how in ("empty", "dash"):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TMPDIR", {"empty": "", "dash": "-x"}[how])
    monkeypatch.delenv("HOME", raising=False)
    backend = asyncio.run(find("private"))
    backend.stop()
    assert "private" in backend.words


def test_no_folder_at_all_is_reported(monkeypatch):
    """Where no short path can be written, the sentence names what was tried."""
    monkeypatch.setattr(redis_process, "places", lambda: [Path("/proc"), Path("/" + "x" * 200)])
    with pytest.raises(CannotStart, match=r"No folder with a short path .*/proc"):
        asyncio.run(find("private"))


def test_a_configuration_in_the_current_folder_does_no_harm(monkeypatch, tmp_path):
    """A student's redis.conf is not read."""
    (tmp_path / "redis.conf").write_text("port 1\nrequirepass x\n")
    monkeypatch.chdir(tmp_path)
    backend = asyncio.run(find("private"))
    backend.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["redis.conf"]


def test_what_was_left_in_the_shorter_folder_is_ended_too(temporary):
    """A lab that was killed leaves its Redis there; the next one ends it."""
    temporary("x" * 107)
    left = PrivateRedis(next(programs()))
    assert left.folder.parent in redis_process.SHORT_PLACES
    left.lock.close()  # as the system does when a process is killed
    reap()
    assert left.process.wait(10) == 0
    assert not left.folder.exists()


# Broken programs ----------------------------------------------------------------------------------

BROKEN = {
    "not executable by the system": ("\x00\x01\x02 no program", "cannot be run"),
    "no interpreter": ("#!/no/such/interpreter\n", "cannot be run"),
    "exits with 1": ("#!/bin/sh\necho first\necho it is broken >&2\nexit 1\n", "it is broken"),
    "exits with 0": ("#!/bin/sh\nexit 0\n", "exit code 0"),
    "rubbish": ("#!/bin/sh\nhead -c 3000 /dev/urandom\nexit 3\n", "exit code 3"),
    "is killed": ("#!/bin/sh\nkill -9 $$\n", "exit code -9"),
    "hangs": ("#!/bin/sh\nwhile :; do sleep 60; done\n", "does not answer"),
    "hangs and will not end": ("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n", "does not answer"),
    "too old": ("#!/bin/sh\nexec {server} \"$@\" --rename-command XINFO ''\n", "5.0 or later"),
}


@pytest.fixture(params=BROKEN.values(), ids=BROKEN)
def broken(request, tmp_path, monkeypatch):
    """A program on the PATH before the real one that is none, and what is reported of it."""
    text, why = request.param
    program = tmp_path / "valkey-server"
    program.write_bytes(text.replace("{server}", str(next(programs()))).encode("latin-1"))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(redis_process, "START_PATIENCE_S", 0.5 if "does not answer" in why else 10)
    monkeypatch.setattr(redis_process, "STOP_PATIENCE_S", 0.2)
    return program, why


def test_the_next_program_is_tried(broken, monkeypatch, temporary):
    """A first one that does not work is no reason not to start."""
    program, _ = broken
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    folder = temporary("x")
    backend = asyncio.run(find("private"))
    backend.stop()
    assert "private" in backend.words
    assert list(folder.iterdir()) == []


def test_a_failed_start_names_what_was_tried(broken, monkeypatch):
    """The sentence names the program, and the last line of its output."""
    program, why = broken
    monkeypatch.setattr(redis_process, "programs", lambda: [str(program)])
    with pytest.raises(CannotStart) as refused:
        asyncio.run(find("private"))
    assert str(program) in str(refused.value) and why in str(refused.value)
    assert len(str(refused.value)) < 600 and "\n" not in str(refused.value)


def test_without_any_that_works_the_history_is_simulated(broken, monkeypatch):
    """Without a private one asked for the lab starts, and the screen names what does not work."""
    program, why = broken
    monkeypatch.setattr(redis_process, "programs", lambda: [str(program)])
    monkeypatch.setattr(redis_process, "something_answers", lambda: False)
    backend = asyncio.run(find(None))
    assert "simulated" in backend.words
    assert str(program) in backend.note and why in backend.note
