"""Long polls by HTTP/2: every byte before TLS is counted, and nginx counts the same."""

import asyncio
import sys

import pytest

from lab.clients.http2 import FRAME_HEAD, Http2
from lab.errors import BadInput, CannotStart
from lab.experiment.http2 import long_polls
from lab.experiment.thread import InThread
from lab.notebooks import http2_polls

POLLS = 3
FRAMES = {"HTTP/1.1": 0, "HTTP/2.0": FRAME_HEAD}


@pytest.fixture(scope="module")
def found():
    """Polls by both protocols, made now."""
    return InThread(lambda stop: long_polls(POLLS)).result()


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("protocol", FRAMES)
def test_the_client_and_nginx_count_the_same(found, protocol):
    """Request and response are as long as in nginx's log; a frame has 9 bytes before its content."""
    polls = [poll for poll in found["polls"] if poll["protocol"] == protocol]
    assert [poll["number"] for poll in polls] == [1, 2, 3]
    for poll in polls:
        assert poll["request"] == poll["log_request"] + FRAMES[protocol]
        assert poll["response"] == poll["log_response"] > poll["body"] > 100


@pytest.mark.needs("nginx")
def test_the_table_of_header_fields_is_filled_once(found):
    """A second request by HTTP/2 takes a tenth of one by HTTP/1.1; a response from nginx stays as long."""
    old, new = found["polls"][:POLLS], found["polls"][POLLS:]
    assert new[1]["request"] * 8 < old[1]["request"] and new[1]["request"] * 4 < new[0]["request"]
    assert new[1]["response"] > 0.95 * new[0]["response"]
    assert new[1]["indexed"] < new[0]["indexed"] < new[0]["response"]
    assert [poll["indexed"] for poll in old] == [None] * POLLS


@pytest.mark.needs("nginx")
def test_the_connection_itself_is_counted(found):
    """The preface (24 bytes) and SETTINGS are sent once and belong to no request."""
    assert found["connection"]["sent"] > 24 + FRAME_HEAD and found["connection"]["received"] > FRAME_HEAD


def test_frames_are_counted_at_any_cut():
    """A frame that arrives in pieces is counted once, when it is whole."""

    class Writer:
        """Where nothing is sent."""

        def write(self, data):
            """Nothing."""

    connection = Http2(None, Writer())
    frames = b"".join(
        size.to_bytes(3) + bytes([0, 0]) + (1).to_bytes(4) + bytes(size) for size in (0, 5, 300)
    )
    for at in range(len(frames)):
        connection.count(frames[at : at + 1])
    assert [size for _, _, size in connection.frames] == [9, 14, 309]
    assert connection.received(1) == len(frames)


@pytest.mark.parametrize("package", ["h2", "trustme"])
def test_a_missing_package_is_said(monkeypatch, package):
    """Without a package there is one sentence with the line that installs it."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CannotStart, match=r'pip install "pushlab\[notebooks\]"'):
        asyncio.run(long_polls(1))


def test_without_a_record_the_way_to_measure_is_said(tmp_path, monkeypatch):
    """As for other records."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PUSHLAB_LIVE", raising=False)
    with pytest.raises(BadInput, match="PUSHLAB_LIVE=1"):
        http2_polls()
