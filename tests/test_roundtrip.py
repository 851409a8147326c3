"""What a technique frames, its client unframes: the two wings meet here and over the socket, nowhere else."""

import json
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.catalogue import MODES, client_side, server_side
from lab.clients import jsonp as jsonp_client
from lab.clients import sse as sse_client
from lab.clients.link import Unframed
from lab.room.messages import PIECE_BYTES, Batch, Cursor, Event, bye, compact, gap, reset
from lab.techniques import frames as ws_frames
from lab.techniques import jsonp

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
HOSTILE = st.sampled_from(
    ["</script>", "<!--", "\u2028\u2029", "\r\n\r\n", "data: x\n\n", ");alert(1)", 'nonce=""', "😀"]
)


@st.composite
def batches(draw):
    """Any events that the room can hand out, in one batch."""
    epoch = draw(st.integers(1, 2**43))
    events = draw(st.lists(st.sampled_from([gap(37), reset(Cursor(epoch, 0)), bye(2300)]), max_size=2))
    for n in range(1, draw(st.integers(0, 4)) + 1):
        text = {name: draw(TEXT | HOSTILE) for name in ("username", "body")}
        message = {"type": "message", "id": f"{epoch}-{n}", "mid": "x", **text, "time": 1.5}
        events.append(Event(compact(message), Cursor(epoch, n)))
    return Batch(tuple(events), Cursor(epoch, 9))


def read(mode, data):
    """Unframe a whole answer as the client of the technique does."""
    if mode == "websocket":
        return Unframed([client_side(mode).unframe(text).events[0] for text in frames(data)])
    if mode == "jsonp":
        data = jsonp.call("f", data)
    return client_side(mode).unframe(data)


def frames(data):
    """The texts in unmasked text frames (RFC 6455 section 5.2)."""
    texts = []
    while data:
        assert data[0] == 0x81
        size, head = (data[1], 2) if data[1] < 126 else (struct.unpack("!H", data[2:4])[0], 4)
        texts.append(data[head : head + size].decode())
        data = data[head + size :]
    return texts


@pytest.mark.parametrize("mode", MODES)
@given(batch=batches())
def test_unframe_gives_back_what_was_framed(mode, batch):
    """Every event comes out of the frame as it went in, whatever text it holds."""
    found = read(mode, server_side(mode).frame(batch))
    assert found.events == [json.loads(event.json) for event in batch.events]
    assert found.cursor in (None, str(batch.cursor))


@pytest.mark.parametrize("mode", ["iframe", "sse"])
@given(batch=batches(), data=st.data())
def test_a_frame_may_arrive_in_pieces(mode, batch, data):
    """Wherever the network cuts an endless answer, the same events come out."""
    framed = server_side(mode).frame(batch)
    cut = data.draw(st.integers(0, len(framed)))
    first = client_side(mode).unframe(framed[:cut])
    second = client_side(mode).unframe(first.rest + framed[cut:])
    assert first.events + second.events == [json.loads(event.json) for event in batch.events]
    assert second.rest == b""


@given(sizes=st.lists(st.integers(1, 2 * PIECE_BYTES), max_size=9), first=st.sampled_from([gap(3), None]))
def test_a_batch_is_handed_on_in_pieces(sizes, first):
    """Together they are the batch; none with two messages is larger than it may be; each says its place."""
    messages = [Event(b"x" * size, Cursor(7, n + 1)) for n, size in enumerate(sizes)]
    batch = Batch((first, *messages) if first and messages else tuple(messages), Cursor(7, len(sizes)))
    pieces = batch.pieces
    assert tuple(event for piece in pieces for event in piece.events) == batch.events
    assert all(len(piece.messages) == 1 or weight(piece) <= PIECE_BYTES for piece in pieces)
    assert all(weight(one) + len(next_.events[0].json) > PIECE_BYTES for one, next_ in pairwise(pieces))
    assert [piece.cursor for piece in pieces] == [piece.events[-1].cursor for piece in pieces]


def weight(batch):
    """The bytes of all its events."""
    return sum(len(event.json) for event in batch.events)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_stream_may_end_its_lines_in_three_ways(end):
    """LF, CRLF and CR all end a line; comments, retry and unknown fields are no events (HTML 9.2.6)."""
    event = [b"event: x", b"id: 1-1", b'data: {"a":', b"data:1}", b"odd"]
    lines = [b":hello", b"retry: 10", b"", *event, b"", b"data: {"]
    found = sse_client.unframe(end.join(lines))
    assert (found.events, found.rest) == ([{"a": 1}], b"data: {")


def test_a_script_holds_no_line_separator():
    """U+2028 and U+2029 end a line in old JavaScript, so a script carries them escaped."""
    batch = Batch((Event(compact({"body": "\u2028\u2029"}), Cursor(1, 1)),), Cursor(1, 1))
    script = jsonp.call("f", jsonp.frame(batch)).decode()
    assert "\u2028" not in script and "\u2029" not in script
    assert jsonp_client.unframe(script.encode()).events == [{"body": "\u2028\u2029"}]


@given(size=st.sampled_from([0, 1, 125, 126, 65535, 65536]))
def test_a_frame_has_its_length_in_the_fewest_bytes(size):
    """2 bytes of header up to 125 bytes of payload, 4 up to 65,535, 10 from there on."""
    header = len(ws_frames.text_frame(b"x" * size)) - size
    assert header == (2 if size < 126 else 4 if size < 65536 else 10)
