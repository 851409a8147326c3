"""Subprotocols against RFC 6455: which one is agreed, what is refused, and the same events in both."""

import json
import os
import uuid

import pytest
import websockets

from lab.clients import binary
from lab.clients.link import Link, Refused
from lab.clients.websocket import listen, send
from tests.support import binary_events
from tests.support.counting import assert_conserved, assert_tally, growth, visit
from tests.support.drafts import draft
from tests.support.framings import BINARY, DEFLATE, PING, TEXT, client_frame
from tests.support.lab_state import here, history, meters, publish, top
from tests.support.listeners import client, handshake
from tests.support.wire import HOST, Wire

NAME = "Sec-WebSocket-Protocol"
OFFER = {NAME: "pushlab.binary"}


async def answer(port, *lines):
    """The status, the chosen subprotocol and the error of a handshake with these lines of offers."""
    wire = await Wire.open(port)
    offers = "".join(f"{NAME}: {line}\r\n" for line in lines)
    headers = "".join(f"{name}: {value}\r\n" for name, value in handshake().items())
    head = f"GET /websocket?after=latest HTTP/1.1\r\nHost: {HOST}\r\n{headers}{offers}\r\n"
    await wire.send(head.encode("latin-1"))
    found = await wire.read_head()
    error = None
    if found.status != 101:
        error = json.loads(await wire.take(int(found.headers["content-length"])))["error"]["code"]
    wire.abort()
    return found.status, found.headers.get(NAME.lower()), error


# What is agreed -----------------------------------------------------------------------------------

CHOSEN = {
    "pushlab.json": "pushlab.json",
    "pushlab.binary": "pushlab.binary",
    "pushlab.binary, pushlab.json": "pushlab.binary",
    "pushlab.json,pushlab.binary": "pushlab.json",
    "chat, superchat,\tpushlab.binary ,soap": "pushlab.binary",
    ",pushlab.json,,": "pushlab.json",
    "chat": None,
    "chat, superchat": None,
    "PUSHLAB.BINARY": None,
    "pushlab.binary2, x!#$%&'*+-.^_`|~9": None,
}
MALFORMED = [
    "",
    ",",
    "pushlab.json, pushlab.json",
    "chat, pushlab.binary, chat",
    "pushlab json",
    '"pushlab.json"',
    "pushlab.json; q=1",
    "a/b",
    "pushlab.json, (chat)",
    "ch\xe4t",
    "pushlab.binary, =",
]


@pytest.mark.parametrize("offer", CHOSEN)
async def test_the_first_that_the_lab_speaks_is_taken(offer, lab):
    """In the client's order; after an offer without any the response names none."""
    assert await answer(lab.port, offer) == (101, CHOSEN[offer], None)


async def test_several_lines_are_one_list(lab):
    """The field may be there more than once (RFC 6455 section 11.3.4), but no name twice."""
    assert await answer(lab.port, "chat", "pushlab.binary", "pushlab.json") == (101, "pushlab.binary", None)
    assert (await answer(lab.port, "pushlab.json", "pushlab.json"))[0] == 400


async def test_a_client_that_offers_none_gets_text(lab):
    """Without an offer the response names no subprotocol, and the frames are text."""
    assert await answer(lab.port) == (101, None, None)
    for headers in ({}, {NAME: "chat"}):
        listener = await client("websocket", lab.port, headers=headers).connect("latest")
        await listener.send("hello")
        await listener.receive()
        assert {frame.opcode for frame in listener.frames} == {TEXT}


@pytest.mark.parametrize("offer", MALFORMED, ids=ascii)
async def test_a_list_that_is_none_is_400(offer, lab):
    """Names that are no tokens, or one name twice, fail the handshake in the contract's shape."""
    assert await answer(lab.port, offer) == (400, None, "bad_subprotocols")


# The same events ----------------------------------------------------------------------------------


async def test_all_listeners_receive_the_same_events(lab):
    """Message, gap and reset: a binary frame gives the object that JSON gives, the time bit for bit."""
    epoch = (await here(lab.port)).split("-")[0]
    await publish(lab.port, 101, "中文 & <b>")
    for place in (f"{epoch}-1", "1000-1", None):
        text, packed = [
            await client("websocket", lab.port, headers=headers).connect(place) for headers in ({}, OFFER)
        ]
        for listener in (text, packed):
            await listener.receive(100)
        assert packed.events == text.events and packed.received_payload < text.received_payload - 6000
        assert {frame.opcode for frame in packed.frames} == {BINARY}
        assert packed.events[-100:] == (await history(lab.port))["messages"]
        for listener in (text, packed):
            await listener.leave()


async def test_the_server_leaves_in_the_same_framing(start_lab):
    """A bye is a binary frame too, and the close code follows."""
    process = start_lab()
    listener = await client("websocket", process.port, headers=OFFER).connect("latest")
    process.process.stdin.close()
    await listener.receive(1, "bye")
    assert listener.events[0]["retry_ms"] > 0 and listener.frames[0].opcode == BINARY
    await listener.listen_until(lambda: listener.close_code)
    assert listener.close_code == 1012


async def test_a_send_and_its_repeat(lab):
    """Acks are binary, have the mid, and say that the second one is a duplicate."""
    listener = await client("websocket", lab.port, headers=OFFER, receive="0").connect()
    message = draft("你好 " * 20)
    first, second = [(await listener.send_fields(message)).answer for _ in range(2)]
    assert first == {"type": "ack", "mid": message["mid"], "id": first["id"], "duplicate": False}
    assert second == first | {"duplicate": True}
    assert (await history(lab.port))["messages"][-1]["body"] == "你好 " * 20


@pytest.mark.parametrize("headers", [OFFER, {}, {NAME: "pushlab.json"}], ids=["binary", "none", "json"])
async def test_a_send_in_the_other_framing_is_refused(headers, refusing):
    """Text under binary, and binary under text: an error as was agreed, nothing stored, still open."""
    listener = await client("websocket", refusing.port, headers=headers, receive="0").connect()
    if listener.binary:
        receipt = await listener.send_frame(TEXT, json.dumps(draft()).encode())
    else:
        receipt = await listener.send_frame(BINARY, binary_events.send(draft()))
    code = "bad_message" if listener.binary else "bad_json"
    assert (receipt.answer["error"]["code"], receipt.answer["stored"]) == (code, False)
    assert receipt.answer["mid"] is None
    assert (await listener.send_fields(draft() | {"body": ""} | {"username": "a"})).answer["type"] == "error"


UUID = uuid.uuid4().bytes
BROKEN = {
    "empty": b"",
    "no kind": b"\x08" + UUID + b"\x01ab",
    "an event": binary_events.varint(1) + UUID,
    "half a mid": b"\x07" + UUID[:9],
    "no username": b"\x07" + UUID,
    "a length without end": b"\x07" + UUID + b"\x80" * 12,
    "a username that is longer": b"\x07" + UUID + b"\x09ann",
    "no UTF-8 in the name": b"\x07" + UUID + b"\x01\xffbody",
    "no UTF-8 in the body": b"\x07" + UUID + b"\x01a\xc3",
    "an empty username": b"\x07" + UUID + b"\x00body",
    "an empty body": b"\x07" + UUID + b"\x03ann",
    "JSON": json.dumps(draft()).encode(),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_bytes_that_are_no_send(name, refusing):
    """They are answered by `bad_message`, nothing is stored, and the connection stays open."""
    listener = await client("websocket", refusing.port, headers=OFFER, receive="0").connect()
    receipt = await listener.send_frame(BINARY, BROKEN[name])
    assert (receipt.answer["error"]["code"], receipt.answer["stored"]) == ("bad_message", False)
    assert (await listener.send_frame(BINARY, b"")).answer["type"] == "error"


async def test_limits_hold_for_binary_sends(refusing):
    """A body or a username above its limit is refused, with the mid of the send."""
    listener = await client("websocket", refusing.port, headers=OFFER, receive="0").connect()
    for changed in ({"body": "中" * 501}, {"username": "u" * 33}):
        message = draft() | changed
        answer = (await listener.send_fields(message)).answer
        assert (answer["error"]["code"], answer["mid"]) == ("too_long", message["mid"])


@pytest.mark.parametrize("headers", [OFFER, {}], ids=["binary", "text"])
async def test_a_send_in_fragments_with_a_ping_between(headers, lab):
    """Both framings take a send in pieces (RFC 6455 section 5.4)."""
    listener = await client("websocket", lab.port, headers=headers, receive="0").connect()
    message = draft("in three pieces")
    data = binary_events.send(message) if listener.binary else json.dumps(message).encode()
    opcode = BINARY if listener.binary else TEXT
    await listener.wire.send(client_frame(opcode, data[:9], 0) + client_frame(PING, b"?"))
    await listener.wire.send(client_frame(0, data[9:20], 0) + client_frame(0, data[20:]))
    await listener.listen_until(lambda: listener.answers)
    assert listener.answers[0]["type"] == "ack" and listener.answers[0]["mid"] == message["mid"]
    assert (await history(lab.port))["messages"][-1]["body"] == "in three pieces"


# What is counted ----------------------------------------------------------------------------------


@pytest.mark.parametrize("offer", ["pushlab.binary", "pushlab.json"])
async def test_bytes_of_binary_frames_are_counted(offer, counted):
    """Payload is what stands in the frames; head, framing and payload are all bytes."""
    place, before = await here(counted), await meters(counted)
    listener = client("websocket", counted, headers={NAME: offer})
    await listener.connect(place)
    for text in ("short", "中文", "x" * 300):
        await listener.send(text)
    await listener.receive(3)
    await listener.leave()
    grown = growth(before, await meters(counted))["techniques"]["websocket"]
    for use in ("receive", "send"):
        assert_tally(grown[use], listener.tally(use))
    assert_conserved(await meters(counted))


async def test_listeners_of_both_share_nothing_but_the_events(counted):
    """Text and binary listeners at the same time: each is counted by its own bytes."""
    before = await meters(counted)
    listeners = [
        await client("websocket", counted, headers=headers).connect("latest")
        for headers in ({}, OFFER, OFFER)
    ]
    ids = await publish(counted, 5)
    for listener in listeners:
        await listener.receive_until(ids[-1])
        await listener.leave()
    grown = growth(before, await meters(counted))["techniques"]["websocket"]["receive"]
    assert grown["payload_bytes"] == sum(listener.received_payload for listener in listeners)


async def test_binary_and_compressed(compressing):
    """Both together: the frames are compressed, the payload counts before it."""
    before = await meters(compressing)
    listener = await client(
        "websocket",
        compressing,
        headers=OFFER | {"Sec-WebSocket-Extensions": DEFLATE + "; server_no_context_takeover"},
    ).connect("latest")
    ids = await publish(compressing, 1, "a" * 300)
    await listener.receive_until(ids[-1])
    await listener.leave()
    grown = growth(before, await meters(compressing))["techniques"]["websocket"]["receive"]
    assert grown["payload_bytes"] == listener.received_payload > 300 > len(listener.frames[0].payload)
    assert listener.frames[0].deflated and grown["framing_bytes"] > 0


# Witnesses ----------------------------------------------------------------------------------------


async def test_the_python_client_speaks_binary(lab):
    """The client of the measurements sends and receives by binary frames, and gets the same events."""
    events, place = [], await here(lab.port)
    async with Link(f"http://{HOST}:{lab.port}", subprotocol="binary") as link:
        message = draft("你好", "ann")
        stored = await send(link, message)
        assert link.socket.protocol == binary.NAME and not stored["duplicate"]
        with pytest.raises(Refused, match="bad_message"):
            await send(link, draft() | {"body": ""})
        link.after, link.on_events = place, lambda found: (events.extend(found), 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await listen(link)
    assert events == [(await history(lab.port))["messages"][-1]]


async def test_the_python_client_refuses_another_subprotocol(lab):
    """As a browser does: a lab that does not speak what was offered is no lab for this client."""
    async with Link(f"http://{HOST}:{lab.port}", subprotocol="soap") as link:
        with pytest.raises(Refused, match=r"does not support pushlab\.soap"):
            await listen(link)


async def test_another_library_speaks_binary(lab):
    """The `websockets` client agrees on the subprotocol and receives bytes."""
    url = f"ws://{HOST}:{lab.port}/websocket?after={await top(lab.port)}"
    async with websockets.connect(url, subprotocols=["soap", "pushlab.binary"]) as socket:
        assert socket.subprotocol == "pushlab.binary"
        message = draft(os.urandom(8).hex())
        await socket.send(binary_events.send(message))
        found = [binary_events.event(await socket.recv()) for _ in range(2)]
    assert {event["type"] for event in found} == {"ack", "message"}
    assert next(event for event in found if event["type"] == "message")["body"] == message["body"]


async def test_pages_are_not_concerned(lab):
    """A client that visits without a subprotocol is counted as before."""
    place, before = await here(lab.port), await meters(lab.port)
    listener = await visit("websocket", lab.port, place)
    grown = growth(before, await meters(lab.port))["techniques"]["websocket"]
    assert_tally(grown["receive"], listener.tally("receive"))
