"""The fields of the dissector tile all bytes without gap or overlap, whatever the bytes are, at every cut."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.anatomy import CUT, NOTES, LeftOut, Part, dissect, totals
from lab.catalogue import MODES
from lab.techniques.streaming import chunk
from tests.support.exchanges import BATCH, TYPES, body, exchange, parts_of
from tests.support.framings import CLOSE, PING, TEXT, client_frame

KINDS = {
    "shortpoll": ["answer"],
    "longpoll": ["answer"],
    "jsonp": ["call"],
    "iframe": ["preamble", *["script"] * 7, "heartbeat", "last-chunk"],
    "sse": ["retry", *["event"] * 7, "heartbeat", "last-chunk"],
    "fetch": ["preamble", *["line"] * 7, "heartbeat", "last-chunk"],
    "websocket": [*["text"] * 7, "ping", "close", "pong", "text", "close"],
}
each_mode = pytest.mark.parametrize("mode", MODES)


def tiled(parts, mode=""):
    """The units of these parts, after it is checked that their fields tile each direction."""
    units = dissect(parts, mode)
    for came in (True, False):
        fields = [field for unit in units if unit.came is came for field in unit.fields]
        edges = [0, *(field.end for field in fields)]
        assert [field.start for field in fields] == edges[:-1]
        assert edges[-1] == sum(len(part.data) for part in parts if part.came is came)
    assert all(field.end > field.start and field.note in NOTES for unit in units for field in unit.fields)
    return units


@each_mode
def test_a_whole_exchange(mode):
    """Every unit is there, in order, and the payload is that of the message objects."""
    client, server = exchange(mode)
    units = tiled(parts_of(client, server), mode)
    order = {"websocket": ["request", "pong", "text", "close", "response", *KINDS[mode][:9]]}
    assert [unit.kind for unit in units] == order.get(mode, ["request", "response", *KINDS[mode]])
    assert totals(unit for unit in units if not unit.came)["payload"] == BATCH.payload_bytes


@each_mode
def test_a_unit_is_none_of_a_system_call(mode):
    """However the bytes were read and written, the units have the same fields, and the time of the first."""
    client, server = exchange(mode)
    whole = [unit[:2] + unit[3:] for unit in tiled(parts_of(client, server), mode)]
    for size in (1, 7, 100):
        cuts = range(size, len(server), size)
        units = tiled(parts_of(client, server, *cuts), mode)
        assert [unit[:2] + unit[3:] for unit in units] == whole
        assert all(unit.at == 1 + unit.fields[0].start // size for unit in units if not unit.came)


@each_mode
def test_a_capture_that_ends_anywhere(mode):
    """Whole units are the same as in the whole exchange; at most one more is cut, and it is framing."""
    client, server = exchange(mode)
    whole = {unit.fields for unit in tiled(parts_of(client, server), mode)}
    for end in range(len(server)):
        units = [unit for unit in tiled(parts_of(client, server[:end]), mode) if not unit.came]
        cut = [unit for unit in units if unit.kind == CUT]
        assert cut == units[-1:] or cut == []
        assert all(len(unit.fields) == 1 and unit.fields[0].part == "framing" for unit in cut)
        assert {unit.fields for unit in units} - {unit.fields for unit in cut} <= whole


@each_mode
def test_a_capture_that_begins_anywhere(mode):
    """What is not whole is cut, and a stream in chunks is dissected from its next chunk on."""
    _, server = exchange(mode)
    streams = mode in TYPES and len(body(mode)) > 1
    last = len(server) - len(b"0\r\n\r\n") - (len(chunk(body(mode)[-1])) if streams else 0)
    for start in range(len(server)):
        kinds = [unit.kind for unit in tiled([Part(0, False, server[start:])], mode)]
        if streams and server.index(b"\r\n\r\n") + 4 < start <= last:
            assert kinds[-2:] in (["heartbeat", "last-chunk"], ["preamble", "last-chunk"])


@each_mode
def test_left_out_bytes_keep_the_offsets(mode):
    """Where whole units were left out, those behind them have the offsets of the whole stream."""
    client, server = exchange(mode)
    if len(body(mode)) == 1:
        return
    units = [unit for unit in tiled(parts_of(client, server), mode) if not unit.came]
    first, last = units[2].fields[0].start, units[-2].fields[0].start
    hole = LeftOut(2, False, last - first)
    parts = [Part(0, True, client), Part(1, False, server[:first]), hole, Part(3, False, server[last:])]
    found = [unit for unit in dissect(parts, mode) if not unit.came]
    assert [unit.fields for unit in found if unit.at == 3] == [unit.fields for unit in units[-2:]]


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(["", *MODES]))
def test_any_bytes(client, server, mode):
    """Random bytes never raise, and are tiled."""
    tiled([Part(0, True, client), Part(1, False, server)], mode)


@settings(max_examples=300)
@given(st.sampled_from(MODES), st.data())
def test_an_exchange_with_wrong_bytes(mode, data):
    """Bytes that are changed, lost or doubled anywhere never raise, and are tiled."""
    client, server = exchange(mode)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(server)))
        lost, more = data.draw(st.integers(0, 9)), data.draw(st.binary(max_size=9))
        server = server[:place] + more + server[place + lost :]
    tiled(parts_of(client, server, *data.draw(st.lists(st.integers(0, len(server)), max_size=3))), mode)


@given(
    st.lists(st.tuples(st.sampled_from([TEXT, PING, CLOSE, 3]), st.binary(max_size=130), st.integers(0, 15)))
)
def test_fuzzed_frames(frames):
    """Frames with any bits and any payload: each is a unit of its own, allowed or not."""
    data = b"".join(client_frame(opcode, payload, bits << 4) for opcode, payload, bits in frames)
    units = tiled([Part(0, True, data)], "websocket")
    assert len(units) == len(frames)
    for unit, (opcode, payload, bits) in zip(units, frames, strict=True):
        if (
            opcode == 3
            or bits & 0b011
            or (opcode != TEXT and (len(payload) > 125 or bits & 0b111 or not bits & 8))
        ):
            assert unit.kind.startswith("not a frame: ")


MANY = 100_000
HOSTILE = {
    "pages": (b"", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"<!doctype html>" * (MANY // 15)),
    "fragments": (b"", b"HTTP/1.1 101 OK\r\n\r\n\x01\x00" + b"\x00\x00" * (MANY // 2)),
    "nested": (b"", b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"messages":[' + b"[" * MANY),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bytes_that_are_meant_to_take_long(name):
    """A hundred thousand bytes of the same take seconds at most, not the square of it."""
    client, server = HOSTILE[name]
    start = time.process_time()
    tiled([Part(0, True, client), Part(1, False, server)])
    assert time.process_time() - start < 8


def test_requests_of_several_techniques_on_one_connection():
    """Each body is dissected by its own type, whatever technique was asked for."""
    both = [exchange(mode) for mode in ("shortpoll", "sse", "jsonp", "longpoll")]
    client, server = (b"".join(column) for column in zip(*both, strict=True))
    kinds = [unit.kind for unit in tiled(parts_of(client, server), "shortpoll") if not unit.came]
    assert kinds == [
        *("response", "answer", "response"), *KINDS["sse"], *("response", "call", "response", "answer")
    ]  # fmt: skip


def test_a_second_exchange_behind_a_cut_one():
    """After a response whose beginning is missing, the next one is dissected whole."""
    client, server = exchange("longpoll")
    units = tiled(parts_of(client[9:] + client, server[150:] + server), "longpoll")
    assert [unit.kind for unit in units] == ["cut", "request", "cut", "response", "answer"]


def test_an_event_in_two_chunks():
    """It is one unit, with both lines of the chunks among its fields, and its payload is what it was."""
    event = b'data: {"type":"message"}\n\n'
    data = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    data += chunk(event[:12]) + chunk(event[12:] + event)
    _, first, second = tiled([Part(0, False, data)])
    assert [field.name for field in first.fields].count("chunk-size") == 2
    assert [field.name for field in second.fields][-1] == "chunk-end"
    assert totals([first, second])["payload"] == 2 * len(
        json.dumps({"type": "message"}, separators=(",", ":"))
    )


def test_half_an_event_in_a_whole_chunk():
    """Until the rest comes it is cut: one field, with the lines of its chunk."""
    data = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    _, event, cut = tiled([Part(0, False, data + chunk(b":\n\n") + chunk(b"data: 1"))])
    assert (event.kind, cut.kind) == ("heartbeat", "cut")
    assert [(field.end - field.start, field.part) for field in cut.fields] == [
        (len("7\r\ndata: 1\r\n"), "framing")
    ]


def test_a_message_that_looks_escaped_is_payload():
    """A backslash that the sender wrote is no escape of the script."""
    client, server = exchange("iframe")
    escapes = [
        field
        for unit in tiled(parts_of(client, server), "iframe")
        for field in unit.fields
        if field.name == "escape"
    ]
    assert [field.value for field in escapes] == ["<", ">", "&", "\u2028", "\u2029", "<"]
