"""What is kept of a request: the first units and the newest, each whole, whatever the sizes of the pieces."""

import json
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.anatomy import CUT, LeftOut, Part, dissect
from lab.catalogue import MODES, TECHNIQUES, server_side
from lab.lanes.capture import (
    FIRST_BYTES,
    LEAST_BYTES,
    NEWEST_BYTES,
    Capture,
    Place,
    RecordingSocket,
    frame_begins,
    start_capture,
)
from lab.room.messages import Batch, Cursor, Event, compact
from lab.techniques.streaming import chunk
from tests.support.framings import PING, PONG, TEXT, client_frame

STREAMS = [mode for mode in MODES if TECHNIQUES[mode].verb == "stream"]
TYPES = {"sse": "text/event-stream", "iframe": "text/html", "fetch": "application/x-ndjson"}
BODIES = st.sampled_from(["short", "中文 ", "x" * 150, "</script>&\u2028", "\x81~ \x01\x02"])
each_stream = pytest.mark.parametrize("mode", STREAMS)


class Socket:
    """A socket that accepts as many bytes of each write as a test says, then all."""

    def __init__(self, accepts):
        self.accepts = iter(accepts)
        self.arriving = b""

    def send(self, data):
        return min(len(data), next(self.accepts, len(data)))

    def recv_into(self, buffer):
        size = min(len(buffer), len(self.arriving))
        buffer[:size], self.arriving = self.arriving[:size], self.arriving[size:]
        return size


class Connection:
    """The two sides of a stream with a capture in between, and all bytes that really passed."""

    def __init__(self, mode, accepts=(), first=FIRST_BYTES, newest=NEWEST_BYTES):
        self.capture = Capture("", 0.0, mode, first, newest)
        self.passed = {True: b"", False: b""}
        self.unread = 0
        self.queue = b""
        self.socket = RecordingSocket(Socket(accepts), self.capture)

    def write(self, data):
        """Send as the lab does: what the socket does not accept is queued, and is sent first."""
        self.queue += data
        while self.queue:
            count = self.socket.send(self.queue)
            self.passed[False] += self.queue[:count]
            self.queue = self.queue[count:]
            if count == 0:
                return

    def read(self, frames, cuts):
        """Receive these frames in pieces of some sizes, and process each when it is whole."""
        arriving, ends, place = b"".join(frames), [0], len(self.passed[True])
        for frame in frames:
            ends.append(ends[-1] + len(frame))
        received = 0
        for size in [*cuts, len(arriving)]:
            self.socket.inner.arriving = arriving[received : received + size]
            while count := self.socket.recv_into(bytearray(32)):
                received += count
            while ends and ends[0] <= received:  # the protocol is at the end of a frame
                self.capture.frame_begins(received - ends.pop(0))
        self.passed[True] += arriving
        assert place + received == len(self.passed[True])


def head(mode, version="1.1"):
    """The heads of a request and its response."""
    request = b"GET /%b HTTP/%b\r\nHost: 127.0.0.1\r\n" % (mode.encode(), version.encode())
    if mode == "websocket":
        return request + b"Upgrade: websocket\r\n\r\n", b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n"
    chunks = "Transfer-Encoding: chunked\r\n" if version == "1.1" else ""
    return request + b"\r\n", f"HTTP/1.1 200 OK\r\nContent-Type: {TYPES[mode]}\r\n{chunks}\r\n".encode()


def framed(mode, bodies, version="1.1"):
    """What the lab writes at once: these messages."""
    events = [
        Event(compact({"type": "message", "body": body}), Cursor(1, n)) for n, body in enumerate(bodies)
    ]
    data = Batch(tuple(events), Cursor(1, 9)).framed(server_side(mode).frame)
    return data if mode == "websocket" or version == "1.0" else chunk(data)


def outline(unit):
    """A unit without what depends on other units."""
    return unit.kind, unit.came, [(field.start, field.end) for field in unit.fields]


def assert_honest(connection, before=(0, 0)):
    """What is shown are units of the whole conversation, without a half one, at their true places."""
    shown, passed = connection.capture.shown(), connection.passed
    parts = shown.parts()
    units = dissect(parts, shown.mode)
    for came in (False, True):
        data = b"".join(part.data for part in parts if part.came is came)
        size = sum(part.size for part in parts if isinstance(part, LeftOut) and part.came is came)
        fields = [field for unit in units if unit.came is came for field in unit.fields]
        assert b"".join(passed[came][field.start : field.end] for field in fields) == data
        assert all(one.end <= two.start for one, two in pairwise(fields))
        assert len(data) + size == len(passed[came])
    return units


conversations = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.lists(BODIES, min_size=1, max_size=6)),
        st.tuples(st.just("ping"), st.just([])),
        st.tuples(st.just("read"), st.lists(BODIES, min_size=1, max_size=4)),
    ),
    max_size=12,
)


def play(connection, mode, version, steps, cuts, begin=True):
    """Let a conversation pass through a capture."""
    request, response = head(mode, version)
    if begin:
        connection.capture.keep(True, request)
        connection.passed[True] = request
        connection.write(response)
    for what, bodies in steps:
        if what == "write":
            connection.write(framed(mode, bodies, version))
        elif what == "ping" and mode == "websocket":
            connection.write(server_side(mode).HEARTBEAT)
            connection.read([client_frame(PONG, b"")], cuts)
        elif what == "read" and mode == "websocket":
            frames = [client_frame(TEXT, json.dumps({"mid": "?", "body": body}).encode()) for body in bodies]
            connection.read([*frames, client_frame(PING, b"any \x81\xfe bytes")], cuts)


@each_stream
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@settings(deadline=None, max_examples=60)
@given(
    steps=conversations,
    accepts=st.lists(st.integers(0, 300), max_size=30),
    cuts=st.lists(st.integers(1, 90), max_size=12),
    first=st.integers(1, 600),
    newest=st.integers(100, 900),
)
def test_no_unit_is_half_at_any_cut(mode, version, steps, accepts, cuts, first, newest):
    """Whatever was sent in whatever pieces, and however little is kept: fields tile, at their true places,
    and each unit is one of the whole conversation."""
    if mode == "websocket" and version == "1.0":
        return
    connection = Connection(mode, accepts, first, newest)
    play(connection, mode, version, steps, cuts)
    connection.write(b"")  # what was still queued
    units = assert_honest(connection)
    whole = dissect([Part(0.0, came, data) for came, data in connection.passed.items()], mode)
    assert [outline(u) for u in units if u.kind != CUT and outline(u) not in map(outline, whole)] == []
    assert [u for u in units if u.kind == CUT] == [] or connection.queue


@each_stream
@settings(deadline=None, max_examples=40)
@given(
    steps=conversations,
    later=conversations,
    accepts=st.lists(st.integers(0, 300), max_size=20),
    cuts=st.lists(st.integers(1, 90), max_size=12),
)
def test_a_request_that_was_open_already(mode, steps, later, accepts, cuts):
    """A lane may show a request at any moment, also within a write that is not complete: the bytes before are
    left out, and what follows begins with a whole unit at its true place."""
    connection = Connection(mode, accepts)
    play(connection, mode, "1.1", steps, cuts)
    inner, passed = connection.socket.inner, connection.passed
    stream = SimpleNamespace(
        head=b"", socket=inner, bytes_out=len(passed[False]) + 7, bytes_in=len(passed[True]) + 9,
        closed=lambda: False, writing=lambda: bool(connection.queue), unread_bytes=lambda: b"",
    )  # fmt: skip
    request = SimpleNamespace(client="a", mode=mode, stream=stream)
    connection.capture = start_capture(request, 0.0, Place(9, 7))
    connection.socket = stream.socket
    play(connection, mode, "1.1", later, cuts, begin=False)
    connection.write(b"")
    units = assert_honest(connection)
    whole = dissect([Part(0.0, came, data) for came, data in passed.items()], mode)
    assert [outline(u) for u in units if u.kind != CUT and outline(u) not in map(outline, whole)] == []


def test_within_a_frame_of_the_client():
    """A lane that shows a socket in the middle of a frame begins with the next frame that is read."""
    old, new = client_frame(PING, b"a" * 50), client_frame(PING, b"b" * 20)
    stream = SimpleNamespace(
        head=b"", socket=Socket(()), bytes_out=0, bytes_in=30, unread=0, closed=lambda: False,
        writing=lambda: False, unread_bytes=lambda: b"",
    )  # fmt: skip
    request = SimpleNamespace(client="a", mode="websocket", stream=stream)
    capture = start_capture(request, 0.0, Place(0, 0))
    stream.socket.inner.arriving = old[30:] + new
    stream.socket.recv_into(bytearray(200))
    assert capture.shown().as_json() == {"parts": [], "left_out": 56 + 26, "units": []}
    stream.unread = len(new)
    frame_begins(request)
    shown = capture.shown().as_json()
    assert [unit["kind"] for unit in shown["units"]] == ["ping"]
    assert [shown["units"][0]["fields"][side]["start"] for side in (0, -1)] == [56, 62]
    assert shown["left_out"] == 56


@each_stream
def test_the_newest_messages_are_kept(mode):
    """Of a stream of any length: the heads, the first messages and the last ones, in 16 KiB."""
    connection = Connection(mode)
    play(connection, mode, "1.1", [("write", [f"message {n} {'x' * 120}"]) for n in range(500)], [])
    found = connection.capture.shown().as_json()
    text = "".join(part["text"] for part in found["parts"])
    assert [f"message {n} " in text for n in (0, 1, 250, 498, 499)] == [True, True, False, True, True]
    assert len(text) <= FIRST_BYTES + NEWEST_BYTES
    assert len(text) > FIRST_BYTES + NEWEST_BYTES - 1000
    assert found["left_out"] == sum(map(len, connection.passed.values())) - len(text)


def test_small_pieces_are_bounded_too():
    """A client that sends single bytes does not fill the memory with their times."""
    capture = Capture("", 0.0, "websocket")
    for _ in range(100_000):
        capture.keep(True, b"x")
        capture.frame_begins(0)
    shown = capture.shown()
    assert len(shown.first) + len(shown.newest) <= (FIRST_BYTES + NEWEST_BYTES) / LEAST_BYTES + 1
    assert len(shown.starts) <= NEWEST_BYTES / LEAST_BYTES


def test_a_long_answer_has_its_head():
    """The body of a poll is one unit: too long to be kept, it is left out, and its head is there."""
    capture = Capture("", 0.0, "shortpoll")
    capture.keep(True, b"GET /shortpoll HTTP/1.1\r\n\r\n")
    response = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n"
    capture.keep(False, response + b"{" + b" " * 89_998 + b"}")
    found = capture.shown().as_json()
    assert [unit["kind"] for unit in found["units"]] == ["request", "response"]
    assert found["left_out"] == 90_000
