"""The lab's own Redis is for nobody else: no port, and a socket that only this user may open."""

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from lab.server.redis_process import PrivateRedis, programs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process listens on")
LISTENING = "0A"
"""The state of a socket that listens, in /proc/net/tcp."""


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
        with suppress(FileNotFoundError):  # closed at this moment: whoever asked whether it is up yet
            inodes |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(file)))
    return inodes


def tcp_listeners(pid):
    """The inodes of those sockets that listen on a port."""
    tables = [Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6")]
    rows = [row.split() for table in tables if table.exists() for row in table.read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == LISTENING}


def test_it_listens_on_no_port(private):
    """Nobody in the network, nor any page that a browser here shows, can speak to it."""
    pid = private.process.pid
    assert sockets(pid) and not sockets(pid) & tcp_listeners(pid)


def test_no_other_user_may_open_it(private):
    """Its socket, and the folder in which that stands, are open to this user alone."""
    assert [path.stat().st_mode & 0o077 for path in (private.folder, private.socket)] == [0, 0]
