"""`pushlab.binary`: whatever an event holds, all three readers give back the object that JSON gives."""

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.anatomy import binary as anatomy
from lab.clients import binary as client
from lab.errors import BadMessage
from lab.room.messages import Cursor, Event, bye, compact, gap, reset
from lab.techniques import binary as server
from tests.support import binary_events

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
MIDS = st.uuids().map(str)
EPOCHS, NUMBERS = st.integers(0, 10**14 - 1), st.integers(0, 10**15 - 1)
PLACES = st.builds("{}-{}".format, EPOCHS, NUMBERS)
TIMES = st.integers(0, 10**12 - 1) | st.floats(0, 10**12, exclude_max=True).filter(
    lambda time: not time.is_integer()
)
MESSAGES = st.fixed_dictionaries(
    {"type": st.just("message"), "id": PLACES, "mid": MIDS, "username": TEXT, "body": TEXT, "time": TIMES}
)
OTHERS = (
    st.integers(0, 2**60).map(lambda missed: json.loads(gap(missed).json))
    | st.builds(lambda epoch, n: json.loads(reset(Cursor(epoch, n)).json), EPOCHS, NUMBERS)
    | st.integers(0, 2**40).map(lambda wait: json.loads(bye(wait).json))
    | st.fixed_dictionaries({"type": st.just("ack"), "mid": MIDS, "id": PLACES, "duplicate": st.booleans()})
    | st.fixed_dictionaries(
        {
            "type": st.just("error"),
            "mid": st.none() | MIDS,
            "error": st.fixed_dictionaries({"code": TEXT, "message": TEXT}),
            "stored": st.sampled_from([False, "unknown"]),
        }
    )
)
SENDS = st.fixed_dictionaries({"mid": MIDS, "username": TEXT, "body": TEXT})


def same(found, event):
    """The same JSON value: the same types, the time bit for bit."""
    return found == event and json.dumps(found, sort_keys=True) == json.dumps(event, sort_keys=True)


@given(event=MESSAGES | OTHERS)
def test_an_event_comes_back_as_it_is_in_json(event):
    """Message, gap, reset, bye, ack and error: the client, the dissector and the tests read the same."""
    packed, through_json = server.pack(event), json.loads(compact(event))
    assert packed[0] != server.OTHER
    for found in (client.decode(packed), anatomy.read(packed).value, binary_events.event(packed)):
        assert same(found, through_json)


@given(event=MESSAGES)
def test_a_message_is_smaller_than_its_json(event):
    """Without names, quotes and digits at least 60 bytes fewer."""
    as_json = compact(event)
    assert server.pack_event(Event(as_json)) == server.pack(event)
    assert len(server.pack(event)) <= len(as_json) - 60


@pytest.mark.parametrize(
    "changed", [{"mid": "x"}, {"mid": str(uuid.uuid4()).upper()}, {"id": f"{2**48}-1"}, {"type": "news"}]
)
def test_an_event_without_a_short_form(changed):
    """A mid that another program wrote in capitals, or an epoch of seven bytes, comes back all the same."""
    event = {
        "type": "message",
        "id": "7-1",
        "mid": str(uuid.uuid4()),
        "username": "a",
        "body": "b",
        "time": 1,
    }
    packed = server.pack(event | changed)
    assert packed[0] == server.OTHER
    for read in (client.decode, lambda data: anatomy.read(data).value, binary_events.event):
        assert read(packed) == event | changed


@given(message=SENDS)
def test_a_send_comes_back_as_it_was_made(message):
    """What the client packs, the server and the dissector read."""
    packed = client.encode_send(message)
    assert packed == binary_events.send(message)
    assert server.unpack_send(packed) == message
    assert anatomy.read(packed).value == {"type": "send"} | message


@given(data=st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"\x07" + rest))
def test_bytes_that_are_no_send_are_refused(data):
    """Any bytes are a send or are refused by one error, and so are they by the client's reader."""
    try:
        fields = server.unpack_send(data)
    except BadMessage:
        return
    assert same(server.unpack_send(client.encode_send(fields)), fields)


@given(event=MESSAGES | OTHERS, cut=st.data())
def test_a_message_that_was_cut(event, cut):
    """Half an event is an error for the client, and no event for the dissector, or a shorter text."""
    packed = server.pack(event)
    half = packed[: cut.draw(st.integers(0, len(packed) - 1))]
    try:
        found = client.decode(half)
    except ValueError:
        assert anatomy.read(half) is None
    else:
        assert found["type"] in ("message", "error") and anatomy.read(half).value == found


@given(data=st.binary(max_size=80))
def test_the_dissector_never_fails(data):
    """The fields of any bytes tile them, or there are none."""
    found = anatomy.read(data)
    assert found is None or [0, *(field.end for field in found.fields)] == sorted(
        {0, *(field.end for field in found.fields), len(data)}
    )


VECTORS = {
    "02 25": {"type": "gap", "missed": 37},
    "02 ac02": {"type": "gap", "missed": 300},
    "03 018bcfe56800 00": {"type": "reset", "id": "1700000000000-0"},
    "04 fc11": {"type": "bye", "retry_ms": 2300},
    "05 00112233445566778899aabbccddeeff 018bcfe56800 8001 01": {
        "type": "ack",
        "mid": "00112233-4455-6677-8899-aabbccddeeff",
        "id": "1700000000000-128",
        "duplicate": True,
    },
    "06 02 01 78 4e6f2e": {
        "type": "error",
        "mid": None,
        "error": {"code": "x", "message": "No."},
        "stored": "unknown",
    },
    "01 018bcfe56800 08 00112233445566778899aabbccddeeff 41d954fc40100000 03 616e6e e4bda0": {
        "type": "message",
        "id": "1700000000000-8",
        "mid": "00112233-4455-6677-8899-aabbccddeeff",
        "username": "ann",
        "body": "你",
        "time": 1700000000.25,
    },
}


@pytest.mark.parametrize("data", VECTORS)
def test_the_bytes_are_those_of_the_table(data):
    """Each kind, byte by byte."""
    assert server.pack(VECTORS[data]) == bytes.fromhex(data)
    assert client.decode(bytes.fromhex(data)) == VECTORS[data]
