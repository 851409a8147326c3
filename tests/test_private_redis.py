"""The lab's own Redis is for nobody else: no port, and a socket that only this user may open."""

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from lab.server.redis_process import PrivateRedis, programs
from tests.support.kernel import LISTENING, connections

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process listens on")


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
    return {row.inode for row in connections(pid) if row.state == LISTENING}


def test_it_listens_on_no_port(private):
    """Nobody in the network, nor any page that a browser here shows, can speak to it."""
    pid = private.process.pid
    assert sockets(pid) and not sockets(pid) & tcp_listeners(pid)


def test_no_other_user_may_open_it(private):
    """Its socket, and the folder in which that stands, are open to this user alone."""
    assert [path.stat().st_mode & 0o077 for path in (private.folder, private.socket)] == [0, 0]
