"""What is kept of a long conversation: its beginning and its newest units, whole, within the limit."""

import json
import random
import re
import zlib

import pytest

from lab.anatomy import dissect
from lab.catalogue import server_side
from lab.lanes.capture import MOST_BYTES, SLACK_BYTES, Capture
from lab.lanes.ring import Part, bounded, size_of
from lab.room.messages import Batch, Cursor, Event, compact
from lab.techniques.streaming import chunk
from tests.support.framings import PONG, TEXT, client_frame
from tests.support.listeners import STREAMING
from tests.test_anatomy_tiling import exchange

each_stream = pytest.mark.parametrize("mode", STREAMING)
HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"


def heads(mode):
    """The head of a request and that of its response."""
    return [data[: data.index(b"\r\n\r\n") + 4] for data in exchange(mode)]


def write(mode, *numbers):
    """What the server writes at once for these messages."""
    events = [Event(compact({"type": "message", "body": f"number {n} " * 9}), Cursor(1, n)) for n in numbers]
    data = server_side(mode).frame(Batch(tuple(events), Cursor(1, numbers[-1])))
    return data if mode == "websocket" else chunk(data)


def conversation(mode, count, sizes=(1,)):
    """All reads and writes of a long stream: messages in batches of these sizes, and pongs between them."""
    (request, response), number = heads(mode), 0
    parts = [Part(0, True, request), Part(1, False, response)]
    for n in range(count):
        batch = range(number + 1, number + 1 + sizes[n % len(sizes)])
        number = batch[-1]
        parts.append(Part(len(parts), False, write(mode, *batch)))
        if mode == "websocket" and n % 5 == 0:
            parts.append(Part(len(parts), True, client_frame(PONG, b"")))
    return parts


def captured(mode, parts):
    """A capture of these parts, and all their units as `/wire` shows them."""
    capture = Capture("", 0.0, mode)
    for part in parts:
        capture.keep(part.came, part.data)
    everything = [
        (unit.kind, unit.came, [field[:5] for field in unit.fields]) for unit in dissect(parts, mode)
    ]
    return capture, everything


def shown(found):
    """The units in an answer of `/wire`, without times and notes."""
    return [(unit["kind"], unit["came"], [tuple(field.values())[:5] for field in unit["fields"]])
            for unit in found["units"]]  # fmt: skip


def assert_true(found, parts):
    """The fields have the true offsets of the kept bytes, tile them, and the rest is counted to the byte."""
    for came in (True, False):
        sent = b"".join(part.data for part in parts if part.came is came)
        kept = "".join(part["text"] for part in found["parts"] if part["came"] is came).encode("latin-1")
        fields = [field for unit in found["units"] if unit["came"] is came for field in unit["fields"]]
        assert b"".join(sent[field["start"] : field["end"]] for field in fields) == kept
    kept = sum(len(part["text"]) for part in found["parts"])
    assert kept <= MOST_BYTES and found["left_out"] == size_of(parts) - kept


@each_stream
def test_the_beginning_and_the_newest_are_kept(mode):
    """Of a stream of any length the heads, the first units and the last are there, each whole."""
    parts = conversation(mode, 1500)
    capture, everything = captured(mode, parts)
    found = capture.as_json()
    assert_true(found, parts)
    units = shown(found)
    assert [unit for unit in units if unit not in everything] == []
    first = next(n for n, unit in enumerate(units) if unit != everything[n])
    assert units[first:] == everything[first - len(units) :]
    assert first > 10 and len(units) - first > 40
    assert found["left_out"] > size_of(parts) / 2


@each_stream
def test_memory_is_bounded(mode):
    """At no moment more is kept than the limit and its slack, and one more write."""
    capture, most = Capture("", 0.0, mode), 0
    for part in conversation(mode, 600, (1, 3, 40)):
        capture.keep(part.came, part.data)
        most = max(most, size_of(capture._parts))
    assert MOST_BYTES < most <= MOST_BYTES + SLACK_BYTES


@pytest.mark.parametrize("mode", [mode for mode in STREAMING if mode != "websocket"])
def test_chunks_stay_whole(mode):
    """A chunk with many events is kept or left out as a whole, and its size stays true."""
    parts = conversation(mode, 60, (1, 100, 3))
    capture, everything = captured(mode, parts)
    found = capture.as_json()
    assert_true(found, parts)
    assert [unit for unit in shown(found) if unit not in everything] == []
    assert shown(found)[-3:] == everything[-3:]


@pytest.mark.parametrize("seed", range(40))
def test_any_limit_at_any_moment(seed):
    """However often and in whatever pieces, what is left is whole units with their true offsets."""
    chance = random.Random(seed)
    mode, most = STREAMING[seed % len(STREAMING)], chance.randint(300, 3000)
    parts = conversation(mode, 15, [chance.randint(1, 6) for _ in range(3)])
    everything, kept = {unit[:2] + unit[3:] for unit in dissect(parts, mode)}, []
    for part in parts:
        cut = chance.randint(0, len(part.data))
        for piece in (part.data[:cut], part.data[cut:]):
            kept.append(part._replace(data=piece))
            if size_of(kept) > most and (newest := bounded(kept, mode, most)) is not None:
                kept = newest
                assert size_of(kept) <= most
    units = {unit[:2] + unit[3:] for unit in dissect(kept, mode)}
    assert units <= everything and {unit[0] for unit in units} >= {"request", "response"}


def test_a_unit_that_is_longer_than_all_of_it():
    """While it is not whole its beginning is kept as `cut`, and nothing behind it."""
    capture = Capture("", 0.0, "longpoll")
    request, response = heads("longpoll")
    response = re.sub(rb"Length: \d+", b"Length: 999999", response)
    parts = [Part(0, True, request), Part(1, False, response), Part(2, False, b"x" * 3 * MOST_BYTES)]
    for part in [*parts, Part(3, True, b"GET / HTTP/1.1\r\n")]:
        capture.keep(part.came, part.data)
    found = capture.as_json()
    assert [unit["kind"] for unit in found["units"]] == ["request", "response", "cut"]
    assert sum(len(part["text"]) for part in found["parts"]) == MOST_BYTES


def test_a_long_answer_is_left_out_whole():
    """A unit that is whole and longer than the limit is not shown half."""
    batch = Batch(tuple(Event(b'{"body":"' + b"x" * 900 + b'"}') for _ in range(100)), Cursor(1, 100))
    body = batch.framed(server_side("shortpoll").frame)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    capture, _ = captured("shortpoll", [Part(0, True, heads("shortpoll")[0]), Part(1, False, head + body)])
    found = capture.as_json()
    assert [unit["kind"] for unit in found["units"]] == ["request", "response"]
    assert found["left_out"] == len(body)


def test_a_window_of_which_messages_are_missing():
    """A message that refers to one which was left out is shown without text, never with a wrong one."""
    squeeze = zlib.compressobj(wbits=-15)
    parts = [Part(0, True, heads("websocket")[0]), Part(1, False, HANDSHAKE)]
    texts = [json.dumps({"mid": "?", "body": f"{n} again and again {n}"}) for n in range(4000)]
    for text in texts:
        packed = (squeeze.compress(text.encode()) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]
        parts.append(Part(2, True, client_frame(TEXT, packed, 0xC0)))
    capture, _ = captured("websocket", parts)
    found = capture.as_json()
    assert found["left_out"] > 0
    values = [unit["fields"][-1]["value"] for unit in found["units"] if unit["kind"] == "text"]
    assert values[0] == texts[0] and set(values) <= {"", *texts} and "" in values


def test_reading_changes_nothing():
    """Two answers in a row are the same, and what is captured later is shown by the next."""
    parts = conversation("sse", 400)
    capture, _ = captured("sse", parts)
    assert capture.as_json() == capture.as_json()
    capture.keep(False, write("sse", 401))
    assert "number 401 " in capture.as_json()["units"][-1]["fields"][-4]["value"]


def test_secrets_are_blanked_in_the_values():
    """Cookies and keys are as many asterisks in a field as in the bytes, in heads and in frames."""
    head = b"GET /websocket?a=b&token=tooopen HTTP/1.1\r\nUpgrade: websocket\r\nCookie: a=secret\r\n"
    head += b"Authorization: Bearer secret\r\n\r\n"
    frame = client_frame(TEXT, b"look: http://lab/teacher?token=tooopen")
    capture, _ = captured("websocket", [Part(0, True, head), Part(1, True, frame)])
    found = capture.as_json()
    text = json.dumps(found)
    assert "secret" not in text and "tooopen" not in text
    values = [field["value"] for unit in found["units"] for field in unit["fields"]]
    assert {"/websocket?a=b&token=*******", "Cookie: ********", "Authorization: *************"} <= {*values}
    assert values[-1] == "look: http://lab/teacher?token=*******"
