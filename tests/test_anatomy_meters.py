"""The dissector against the meters: head, framing and payload of real exchanges are what the lab counted."""

import json
import zlib

import pytest

from lab.anatomy import Part, dissect, totals
from tests.support import binary_events
from tests.support.counting import each_way_to_connect, growth, visit
from tests.support.drafts import draft
from tests.support.framings import BINARY, PING, TEXT, client_frame
from tests.support.lab_process import LabProcess
from tests.support.lab_state import here, meters, publish
from tests.support.listeners import POLLING, STREAMING, client, each_technique
from tests.support.raw import chunked, raw
from tests.support.wire import HOST, Wire, eventually, request_head

PARTS = ("head", "framing", "payload")


@pytest.fixture(scope="module")
def counted():
    """The port of a lab that no other test uses."""
    process = LabProcess()
    yield process.port
    process.stop()


def post(text):
    """The head and the body of a send."""
    body = json.dumps(draft(text)).encode()
    return request_head("POST", "/sse", {"Host": HOST, "Content-Type": "application/json"}, len(body)), body


def found(mode, *wires):
    """The bytes of each part that the dissector finds on these connections; every byte is in a whole unit."""
    units = [
        unit
        for wire in wires
        for unit in dissect([Part(0, True, bytes(wire.sent)), Part(1, False, bytes(wire.received))], mode)
    ]
    assert [unit for unit in units if unit.kind == "cut" or unit.kind.startswith("not a")] == []
    return totals(units)


def counts(*uses):
    """The same of these meters."""
    return {part: sum(use[f"{part}_bytes"] for use in uses) for part in PARTS}


async def grown(port, mode, before):
    """What the meters of a technique have counted since then, for receiving and for sending."""
    both = growth(before, await meters(port))["techniques"][mode]
    return both["receive"], both["send"]


@each_technique
@each_way_to_connect
async def test_it_finds_what_the_meters_count(mode, keep_alive, counted):
    """Messages of every kind, a repeat, an empty answer: the sums of all fields are the meters', exactly."""
    place, before = await here(counted), await meters(counted)
    listener = await visit(mode, counted, place, keep_alive)
    receive, send = await grown(counted, mode, before)
    if mode == "websocket":
        assert found(mode, *listener.receiving) == counts(receive, send)
    else:
        assert found(mode, *listener.receiving) == counts(receive)
        assert found(mode, *listener.sending) == counts(send)


@each_technique
async def test_each_request_by_itself(mode, counted):
    """One receive request with three messages: head, framing and payload are what it added to the meter."""
    place = await here(counted)
    ids = await publish(counted, 3, "</script>&\u2028\u2029<!-- 中文")
    before = await meters(counted)
    listener = await client(mode, counted, keep_alive=False).connect(place)
    await listener.receive_until(ids[-1])
    await listener.leave()
    receive, _ = await grown(counted, mode, before)
    assert len(listener.receiving) == 1 and found(mode, *listener.receiving) == counts(receive)


@pytest.mark.parametrize("mode", [mode for mode in (*POLLING, *STREAMING) if mode != "websocket"])
async def test_a_refused_send_has_no_payload(mode, counted):
    """A message without a body is framing, by POST as in the query of a script."""
    before = await meters(counted)
    listener = client(mode, counted)
    receipt = await listener.send_fields({"mid": draft()["mid"], "username": "ann", "body": ""})
    assert receipt.status == 422
    await listener.leave()
    _, send = await grown(counted, mode, before)
    assert found(mode, *listener.sending) == counts(send)
    assert counts(send)["payload"] == 0


async def test_refused_sends_on_a_websocket(counted):
    """No JSON, no message, and bytes are answered by an error, so they are framing; a good one is payload."""
    before = await meters(counted)
    listener = await client("websocket", counted).connect("latest")
    mid = draft()["mid"]
    for opcode, data in (
        (TEXT, b"no JSON"),
        (TEXT, json.dumps({"mid": mid}).encode()),
        (BINARY, b"{}"),
        (TEXT, json.dumps(draft("good", mid=mid)).encode()),
    ):
        await listener.send_frame(opcode, data)
    await listener.wire.send(client_frame(PING, b"?"))
    await listener.receive()
    await listener.leave()
    assert found("websocket", listener.wire) == counts(*await grown(counted, "websocket", before))
    assert [answer["type"] for answer in listener.answers] == ["error"] * 3 + ["ack"]


async def test_a_message_that_closes_the_socket(counted):
    """Text that is not UTF-8 is answered by a close frame and stored nowhere: it is framing."""
    before = await meters(counted)
    listener = await client("websocket", counted).connect("latest")
    await listener.send("good")
    await listener.wire.send(client_frame(TEXT, b"\xff\xfe"))
    await listener.wire.take_rest()
    await listener.wire.close()
    assert listener.wire.received.endswith(b"text that is not UTF-8")
    assert found("websocket", listener.wire) == counts(*await grown(counted, "websocket", before))


async def test_a_body_that_nothing_reads(counted):
    """A GET request may have a body, which is no message of the room."""
    before, wire = await meters(counted), await Wire.open(counted)
    assert (await wire.ask("GET", "/shortpoll?after=latest", body=b"not a send")).status == 200
    await wire.close()
    receive, _ = await grown(counted, "shortpoll", before)
    assert found("shortpoll", wire) == counts(receive)


@each_technique
async def test_events_that_are_no_messages(mode, counted):
    """A gap and a reset are framing, however the technique sends them."""
    await publish(counted, 101)
    before = await meters(counted)
    epoch = (await here(counted)).split("-")[0]
    for place, kind in ((f"{epoch}-1", "gap"), ("1000-1", "reset")):
        listener = await client(mode, counted, keep_alive=False).connect(place)
        await listener.receive(1, kind)
        await listener.receive(100)
        await listener.leave()
        receive, _ = await grown(counted, mode, before)
        assert found(mode, *listener.receiving) == counts(receive)
        before = await meters(counted)


async def test_a_body_in_chunks_and_an_interim_answer(counted):
    """The chunks of a send are framing, and `100 Continue` is a head."""
    before, wire = await meters(counted), await Wire.open(counted)
    await wire.send(chunked(json.dumps(draft("in two chunks")), ";a=b", trailers=("X-Late: yes",)))
    assert (await wire.read_answer()).status == 201
    head, body = post("continued")
    await wire.send(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert (await wire.read_head()).status == 100
    await wire.send(body)
    assert (await wire.read_answer()).status == 201
    await wire.close()
    _, send = await grown(counted, "sse", before)
    assert found("sse", wire) == counts(send)


@pytest.mark.parametrize("mode", [mode for mode in STREAMING if mode != "websocket"])
async def test_a_stream_without_chunks(mode, counted):
    """An HTTP/1.0 client gets the events as they are, until the connection ends."""
    place = await here(counted)
    before, wire = await meters(counted), await Wire.open(counted)
    await wire.send(f"GET /{mode}?after={place} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
    ids = await publish(counted, 2)
    while wire.received.count(ids[-1].encode()) < 1 or not wire.received.endswith(b"\n"):
        await wire.more()
    await wire.close()
    receive, _ = await grown(counted, mode, before)
    assert found(mode, wire) == counts(receive)


async def test_several_requests_in_one_piece(counted):
    """Pipelined requests of one technique are units of their own, each with its own response."""
    place = await here(counted)
    await publish(counted, 2)
    before, wire = await meters(counted), await Wire.open(counted)
    asked = [
        request_head("GET", f"/longpoll?after={place}&hold=0", {"Host": HOST}, 0),
        raw("HEAD /longpoll HTTP/1.1", f"Host: {HOST}"),
        b"".join(post("three")).replace(b"/sse", b"/longpoll"),
        request_head("GET", f"/longpoll?after={place}&hold=0", {"Host": HOST}, 0),
    ]
    await wire.send(b"".join(asked))
    for method in ("GET", "HEAD", "POST", "GET"):
        assert (await wire.read_answer(method)).status in (200, 201)
    units = dissect([Part(0, True, bytes(wire.sent)), Part(1, False, bytes(wire.received))], "longpoll")
    kinds = ["request", "request", "request", "message", "request"]
    kinds += ["response", "answer", "response", "response", "answer", "response", "answer"]
    assert [unit.kind for unit in units] == kinds
    of_head = (1, 7)  # a HEAD request belongs to `other`
    mine = [unit for place, unit in enumerate(units) if place not in of_head]
    assert totals(mine) == counts(*await grown(counted, "longpoll", before))


# Binary messages ----------------------------------------------------------------------------------

SPOKEN = {"Sec-WebSocket-Protocol": "pushlab.binary"}


def every_field(listener):
    """The names and values of the fields in the payload of this client's frames."""
    parts = [Part(0, True, bytes(listener.wire.sent)), Part(1, False, bytes(listener.wire.received))]
    return [(field.name, field.value) for unit in dissect(parts) for field in unit.fields]


async def test_binary_messages(counted):
    """Sends, a repeat, refused sends, text, bytes that are no send, a ping: all as counted."""
    place, before = await here(counted), await meters(counted)
    listener = await client("websocket", counted, headers=SPOKEN).connect(place)
    message = draft("你好", "ann")
    for fields in (message, message, draft() | {"body": "x" * 501}):
        await listener.send_fields(fields)
    for opcode, data in ((TEXT, json.dumps(draft()).encode()), (BINARY, b"no send"), (BINARY, b"")):
        await listener.send_frame(opcode, data)
    await listener.wire.send(client_frame(PING, b"?"))
    (event,) = await listener.receive()
    await listener.leave()
    receive, send = await grown(counted, "websocket", before)
    assert [answer["type"] for answer in listener.answers] == ["ack"] * 2 + ["error"] * 4
    assert found("websocket", listener.wire) == counts(receive, send)
    assert receive["payload_bytes"] == listener.received_payload
    epoch, n = event["id"].split("-")
    shown = [("event-kind", "message"), ("cursor-epoch", epoch), ("cursor-n", n), ("mid", event["mid"])]
    shown += [("time", str(event["time"])), ("username-length", "3"), ("username", "ann")]
    fields = every_field(listener)
    assert set(shown) <= set(fields)
    assert fields.count(("message-body", "你好")) == 3


@pytest.mark.parametrize(("place", "kind"), [("1-1", "reset"), ("1", "gap")])
async def test_binary_events_that_are_no_messages(place, kind, counted):
    """A gap and a reset are framing, and have their own fields."""
    await publish(counted, 101)
    epoch, before = (await here(counted)).split("-")[0], await meters(counted)
    listener = await client("websocket", counted, headers=SPOKEN).connect(
        f"{epoch}-1" if kind == "gap" else place
    )
    await listener.receive(1, kind)
    await listener.receive(100)
    await listener.leave()
    receive, _ = await grown(counted, "websocket", before)
    assert found("websocket", listener.wire) == counts(receive)
    fields = dict(every_field(listener))
    assert fields["event-kind"] == "message" and ("missed" in fields) == (kind == "gap")


async def test_binary_frames_without_their_head(counted):
    """From the middle of a connection binary frames are read too, and the totals are the same."""
    listener = await client("websocket", counted, headers=SPOKEN).connect("latest")
    await listener.send("hello")
    await listener.receive()
    await listener.leave()
    client_bytes, server_bytes = bytes(listener.wire.sent), bytes(listener.wire.received)
    whole = found("websocket", listener.wire)
    headless = [
        Part(0, came, data[data.index(b"\r\n\r\n") + 4 :])
        for came, data in ((True, client_bytes), (False, server_bytes))
    ]
    assert totals(dissect(headless, "websocket")) == whole | {"head": 0}


async def test_binary_sends_in_fragments(counted):
    """The frames of one send are its payload together."""
    before = await meters(counted)
    listener = await client("websocket", counted, headers=SPOKEN, receive="0").connect()
    data = binary_events.send(draft("in pieces"))
    await listener.wire.send(client_frame(BINARY, data[:20], 0) + client_frame(PING, b""))
    await listener.wire.send(client_frame(0, data[20:]))
    await eventually(lambda: answered(listener, 1), "the send is answered")
    await listener.leave()
    assert found("websocket", listener.wire) == counts(*await grown(counted, "websocket", before))


# Compressed messages ------------------------------------------------------------------------------

OFFERS = ["permessage-deflate", "permessage-deflate; client_no_context_takeover; server_max_window_bits=9"]
OFFERS += ["permessage-deflate; server_no_context_takeover"]


@pytest.mark.parametrize("spoken", [{}, SPOKEN], ids=["text", "binary"])
@pytest.mark.parametrize("offer", OFFERS, ids=["kept", "fresh", "server-fresh"])
@pytest.mark.parametrize("how", ["fresh", "kept"])
async def test_compressed_messages(how, offer, spoken, labs_that_compress):
    """Payload counts before compression; the fields are what was sent, and what that saved is known."""
    port = labs_that_compress[how]
    before = await meters(port)
    headers = {"Sec-WebSocket-Extensions": offer} | spoken
    listener = await client("websocket", port, headers=headers).connect("latest")
    first, pack = (
        (BINARY, binary_events.send) if spoken else (TEXT, lambda fields: json.dumps(fields).encode())
    )
    squeeze = zlib.compressobj(wbits=-15)
    for _ in range(3):
        if "client_no" in offer:
            squeeze = zlib.compressobj(wbits=-15)
        data = pack(draft("again and again " * 20))
        packed = (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]
        half = len(packed) // 2
        await listener.wire.send(client_frame(first, packed[:half], 0x40) + client_frame(PING, b""))
        await listener.wire.send(client_frame(0, packed[half:]))
    await listener.receive(3)
    await eventually(lambda: answered(listener, 3), "every send is answered")
    await listener.leave()
    assert found("websocket", listener.wire) == counts(*await grown(port, "websocket", before))
    texts = [value for name, value in every_field(listener) if name == "message" and value]
    assert [json.loads(text)["body"] for text in texts] == ["again and again " * 20] * 6


async def test_a_gap_in_a_kept_window(labs_that_compress):
    """Events that are no messages are packed with the same window, and are framing."""
    port = labs_that_compress["kept"]
    await publish(port, 101, "again and again")
    epoch, before = (await here(port)).split("-")[0], await meters(port)
    headers = {"Sec-WebSocket-Extensions": OFFERS[0]}
    for place, kind in ((f"{epoch}-1", "gap"), ("1-1", "reset")):
        listener = await client("websocket", port, headers=headers).connect(place)
        await listener.receive(1, kind)
        await listener.receive(100)
        await listener.leave()
        receive, _ = await grown(port, "websocket", before)
        assert found("websocket", listener.wire) == counts(receive)
        before = await meters(port)


@pytest.fixture(scope="module")
def labs_that_compress():
    """The ports of two labs: one packs each message alone, one keeps the window."""
    both = {how: LabProcess(compress=how) for how in ("fresh", "kept")}
    yield {how: process.port for how, process in both.items()}
    for process in both.values():
        process.stop()


async def answered(listener, count):
    """Whether so many sends are answered."""
    if len(listener.answers) < count:
        await listener.step()
    return len(listener.answers) >= count
