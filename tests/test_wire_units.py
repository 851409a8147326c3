"""The units in an answer of `/wire`: they tile the kept bytes, and add up to what the meter counted."""

import json

import pytest

from lab.anatomy import NOTES
from lab.lanes.capture import Capture
from tests.support.counting import growth
from tests.support.drafts import draft
from tests.support.framings import CLOSE, TEXT, client_frame
from tests.support.kept_bytes import STREAMS, bars, kept, passed
from tests.support.lab_here import LabHere
from tests.support.lab_state import here, meters, publish
from tests.support.listeners import client, each_technique, handshake
from tests.support.waiting import soon
from tests.support.wire import HOST, Wire, request_head

PARTS = ("head", "framing", "payload")


@pytest.fixture(scope="module")
def school():
    """A lab whose recorder can be read."""
    with LabHere(hold=0.5) as school:
        yield school


def fields_of(wire, came):
    """All fields of one direction, in order."""
    return [field for unit in wire["units"] if unit["came"] is came for field in unit["fields"]]


def assert_tiles(wire):
    """The fields follow each other from the first byte on, and have all bytes that were kept."""
    for came in (True, False):
        fields = fields_of(wire, came)
        assert [field["start"] for field in fields] == [0, *(field["end"] for field in fields)][:-1]
        assert fields[-1]["end"] == len(passed(wire, came))


async def shown(school, mode, act):
    """What `/wire` sends to the teacher about one receive request, and what its meter has counted."""
    lane, before = school.lab.context.recorder.lanes[mode], len(bars(school, mode))
    lane.left = float("-inf")  # the listener that was shown there is gone
    counted = await meters(school.lab.port)
    await act()
    assert soon(lambda: len(bars(school, mode)) > before)
    both = growth(counted, await meters(school.lab.port))["techniques"][mode]
    return kept(school, mode, bars(school, mode)[-1], teacher=True), both


@each_technique
async def test_the_units_of_a_request_add_up_to_its_meter(mode, school):
    """Head, framing and payload of all fields are what this request has added to the meter, exactly."""
    place = await here(school.lab.port)
    ids = await publish(school.lab.port, 3, "</script>&\u2028 中文")

    async def listen():
        listener = await client(mode, school.lab.port, keep_alive=False).connect(place)
        await listener.receive_until(ids[-1])
        await listener.leave()

    wire, both = await shown(school, mode, listen)
    assert_tiles(wire)
    assert wire["left_out"] == 0
    sums = dict.fromkeys(PARTS, 0)
    for field in fields_of(wire, True) + fields_of(wire, False):
        sums[field["part"]] += field["end"] - field["start"]
    assert sums == {part: both["receive"][f"{part}_bytes"] for part in PARTS}
    assert {field["note"] for field in fields_of(wire, False)} <= NOTES.keys()


async def test_a_conversation_by_frames(school):
    """A masked send, its answer, both close frames: each is a unit, with the text that it says."""

    async def talk():
        listener = await client("websocket", school.lab.port).connect("latest")
        await listener.send("hello 中文")
        await listener.receive()
        await listener.send_frame(TEXT, b"no JSON")
        await listener.leave()

    wire, _ = await shown(school, "websocket", talk)
    assert_tiles(wire)
    kinds = [("C" if unit["came"] else "S", unit["kind"]) for unit in wire["units"]]
    assert [kind for way, kind in kinds if way == "C"] == ["request", "text", "text", "close"]
    assert sorted(kind for way, kind in kinds if way == "S") == ["close", "response", "text", "text", "text"]
    sent, refused = (unit["fields"] for unit in wire["units"] if unit["came"] and unit["kind"] == "text")
    assert [field["name"] for field in sent][-2:] == ["masking-key", "message"]
    assert json.loads(sent[-1]["value"])["body"] == "hello 中文"
    assert (refused[-1]["part"], refused[-1]["value"]) == ("framing", "no JSON")


async def test_frames_that_came_with_the_handshake(school):
    """A client that does not wait for the 101 sends both at once, and its frames are captured too."""

    async def hurry():
        wire = await Wire.open(school.lab.port)
        head = request_head("GET", "/websocket?after=latest", {"Host": HOST} | handshake(), 0)
        frames = client_frame(TEXT, json.dumps(draft("early")).encode()) + client_frame(CLOSE, b"\x03\xe8")
        await wire.send(head + frames)
        await wire.take_rest()
        await wire.close()

    wire, _ = await shown(school, "websocket", hurry)
    assert_tiles(wire)
    assert [unit["kind"] for unit in wire["units"] if unit["came"]] == ["request", "text", "close"]


@pytest.mark.parametrize("mode", STREAMS)
async def test_of_a_long_stream_the_first_and_the_newest_units_are_shown(school, mode):
    """Of a stream with more bytes than are kept: heads, first and last messages, each whole, and every byte
    is the one that its listener received at this place."""
    listeners = []

    async def listen():
        listeners.append(await client(mode, school.lab.port).connect("latest"))
        ids = [
            *await publish(school.lab.port, 1, "the first"),
            *await publish(school.lab.port, 60, "x" * 480),
        ]
        ids += await publish(school.lab.port, 1, "the last")
        await listeners[0].receive_until(ids[-1])
        await listeners[0].leave()

    wire, _ = await shown(school, mode, listen)
    received = bytes(listeners[0].receiving[0].received)
    fields = fields_of(wire, False)
    text = passed(wire, False)
    assert b"the first" in text and b"the last" in text
    assert "cut" not in [unit["kind"] for unit in wire["units"]]
    assert b"".join(received[field["start"] : field["end"]] for field in fields) == text
    assert fields[-1]["end"] == len(received)
    assert len(text) + wire["left_out"] == len(received)


def test_secrets_are_blanked_in_the_values():
    """Cookies and keys are as many asterisks in a field as in the bytes, in heads and in frames."""
    head = b"GET /websocket?a=b&token=tooopen HTTP/1.1\r\nUpgrade: websocket\r\nCookie: a=secret\r\n"
    head += b"Authorization: Bearer secret\r\n\r\n"
    capture = Capture("", 0.0, "websocket")
    capture.keep(True, head)
    capture.keep(True, client_frame(TEXT, b"look: http://lab/teacher?token=tooopen"))
    found = capture.shown().as_json()
    assert [unit["kind"] for unit in found["units"]] == ["request", "text"]
    assert "secret" not in json.dumps(found) and "tooopen" not in json.dumps(found)
