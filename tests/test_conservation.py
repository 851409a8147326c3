"""Every byte is counted once, whatever comes over a connection and however it ends."""

import asyncio
import json

import pytest

from lab.server.lifecycle import running
from lab.settings import Settings
from tests.support.base_listener import Tally
from tests.support.counting import TEXTS, USES, WAYS, assert_conserved, assert_tally, growth, leaves, visit
from tests.support.drafts import draft
from tests.support.framings import BINARY, CLOSE, PING, PONG, TEXT, canonical, client_frame
from tests.support.lab_process import ROOT
from tests.support.lab_state import here, is_conserved, is_held, meters, publish
from tests.support.listeners import CALLBACK, POLLING, STREAMING, WAITING, client, each_technique
from tests.support.wire import HOST, Wire, eventually, request_head


async def test_nothing_is_counted_twice_or_not_at_all(counted):
    """After visits by all techniques the parts are the total."""
    place = await here(counted)
    await asyncio.gather(*(visit(mode, counted, place) for mode in (*POLLING, *STREAMING)))
    assert_conserved(await meters(counted))


def pipeline():
    """Requests of several techniques as they may stand on one connection: whose they are, and their bytes."""
    yield "shortpoll", "receive", request_head("GET", "/shortpoll", {"Host": HOST}, 0), b""
    yield "sse", "send", *post("/sse", "one")
    yield None, "", request_head("GET", "/history", {"Host": HOST}, 0), b""
    yield "longpoll", "receive", request_head("GET", "/longpoll?hold=0", {"Host": HOST, "X-A": "b"}, 0), b""
    yield None, "", request_head("GET", "/nowhere", {"Host": HOST}, 0), b""
    yield "longpoll", "send", *post("/longpoll", "two")
    yield "jsonp", "receive", request_head("GET", f"/jsonp?callback={CALLBACK}", {"Host": HOST}, 0), b""
    yield "iframe", "send", *post("/iframe", "x" * 499)
    yield "shortpoll", "receive", request_head("GET", "/shortpoll?after=latest", {"Host": HOST}, 0), b""


def post(path, text):
    """The head and the body of a send."""
    body = json.dumps(draft(text)).encode()
    return request_head("POST", path, {"Host": HOST, "Content-Type": "application/json"}, len(body)), body


async def test_pipelined_requests_are_counted_separately(counted):
    """Requests of several techniques sent in one piece on one connection are counted where they belong."""
    requests, seen = list(pipeline()), {}
    before, wire = await meters(counted), await Wire.open(counted)
    await wire.send(b"".join(head + body for _, _, head, body in requests))
    for mode, direction, head, body in requests:
        tally = seen.setdefault((mode, direction), Tally())
        await add_answer(tally, wire, head, body, direction)
    grown = growth(before, await meters(counted))
    for (mode, direction), tally in seen.items():
        if mode:
            assert_tally(grown["techniques"][mode][direction], tally)
    assert_conserved(grown)


async def add_answer(tally, wire, head, body, direction):
    """Read one more answer and add it, with its request, to the tally."""
    taken, heads = wire.taken, wire.heads_received
    answer = await wire.read_answer()
    tally.bytes_in += len(head) + len(body)
    tally.bytes_out += wire.taken - taken
    tally.head_bytes += len(head) + wire.heads_received - heads
    tally.payload_bytes += payload_of(answer) if direction == "receive" else len(body)


def payload_of(answer):
    """The bytes of the message objects in a poll's answer."""
    text = answer.body.decode()
    batch = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return sum(len(canonical(event)) for event in batch["messages"])


@pytest.mark.parametrize("mode", WAITING)
async def test_an_aborted_question_is_counted_as_far_as_it_came(mode, counted):
    """A poll that is dropped while it is held cost its request, and no answer."""
    place, before = await here(counted), await meters(counted)
    listener = await client(mode, counted).connect(place)
    await listener.ask()
    await is_held(counted, mode, 1)
    listener.abort()
    await is_held(counted, mode, 0)
    assert_tally(
        growth(before, await meters(counted))["techniques"][mode]["receive"], listener.tally("receive")
    )
    await is_conserved(counted)


@pytest.mark.parametrize("mode", STREAMING)
async def test_an_aborted_stream_is_counted_as_far_as_it_came(mode, counted):
    """A stream that is dropped in the middle cost what its client had got."""
    before = await meters(counted)
    listener = await client(mode, counted).connect("latest")
    await publish(counted, 3)
    await listener.receive(3)
    listener.abort()
    await is_held(counted, mode, 0)
    assert_tally(
        growth(before, await meters(counted))["techniques"][mode]["receive"], listener.tally("receive")
    )
    await is_conserved(counted)


@each_technique
async def test_what_never_left_the_server_is_not_counted_as_delivered(mode, counted):
    """A listener that reads nothing and vanishes makes no figure negative: payload is what was sent."""
    place, before = await here(counted), await meters(counted)
    listener = await client(mode, counted, takes=4096).connect(place)
    if mode in WAITING:
        await listener.ask()
    await publish(counted, 200, "😀" * 490)
    if mode == "shortpoll":
        await listener.ask()
    listener.abort()
    await is_held(counted, mode, 0)
    await is_conserved(counted)
    grown = growth(before, await meters(counted))["techniques"][mode]["receive"]
    assert grown["framing_bytes"] >= 0
    assert grown["payload_bytes"] <= grown["bytes_out"]


@pytest.mark.parametrize("mode", POLLING)
async def test_an_answer_that_is_read_late_is_counted_when_it_is_read(mode, counted):
    """A long answer to a client that reads late comes whole, counts only then, and the connection goes on."""
    await publish(counted, 100, "😀" * 490)
    listener, before = await client(mode, counted, takes=4096).connect(), await meters(counted)
    await listener.ask()
    await eventually(lambda: has_answered(counted, mode, before), "the answer is on its way")
    assert growth(before, await meters(counted))["techniques"][mode]["receive"]["messages"] == 0
    await listener.take_answer()
    await listener.poll(hold="0")
    assert_tally(
        growth(before, await meters(counted))["techniques"][mode]["receive"], listener.tally("receive")
    )
    assert len(listener.receiving) == 1


@pytest.mark.parametrize("mode", STREAMING)
async def test_a_history_is_handed_over_in_pieces(mode, counted):
    """Of a long history only the part that a listener has read counts; the rest follows when it reads."""
    await publish(counted, 100, "😀" * 490)
    before = await meters(counted)
    listener = await client(mode, counted, takes=4096).connect()
    await eventually(lambda: has_answered(counted, mode, before), "the first pieces are on their way")
    assert growth(before, await meters(counted))["techniques"][mode]["receive"]["messages"] > 0
    await listener.receive(100)
    await eventually(lambda: has_taken(counted, mode, before, 100), "the last piece is counted")
    listener.abort()


async def has_taken(port, mode, before, messages):
    """Whether so many messages have been handed over in all."""
    return growth(before, await meters(port))["techniques"][mode]["receive"]["messages"] == messages


async def has_answered(port, mode, before):
    """Whether a first part of an answer has gone out."""
    counts = await meters(port)
    return growth(before, counts)["techniques"][mode]["receive"]["bytes_out"] > 50_000


JSON = {"Content-Type": "application/json", "Host": HOST}
STATIC = next((file.name for file in sorted((ROOT / "pages" / "static").glob("*.*"))), "none")
REFUSED = {
    "unknown path": request_head("GET", "/nowhere", {"Host": HOST}, 0),
    "wrong method": request_head("DELETE", "/sse", {"Host": HOST}, 0),
    "bad cursor": request_head("GET", "/sse?after=x", {"Host": HOST}, 0),
    "no handshake": request_head("GET", "/websocket", {"Host": HOST}, 0),
    "foreign page": request_head("POST", "/sse", JSON | {"Origin": "http://evil.example"}, 2) + b"{}",
    "foreign host": request_head("GET", "/longpoll", {"Host": "evil.example"}, 0),
    "no host": request_head("GET", "/longpoll", {}, 0),
    "no json": request_head("POST", "/sse", JSON, 3) + b"{[}",
    "too long": request_head("POST", "/longpoll", JSON, 70_000) + b"x" * 70_000,
    "bad chunk": request_head("POST", "/sse", JSON | {"Transfer-Encoding": "chunked"}, 1) + b"zz\r\n\r\n",
    "two lengths": request_head("POST", "/sse", JSON | {"Content-Length": "5, 6"}, 5) + b"{}{}{}",
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "http 1.0": b"GET /shortpoll HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n",
    "static file": request_head("GET", f"/static/{STATIC}", {"Host": HOST}, 0),
    "head of a file": request_head("HEAD", f"/static/{STATIC}", {"Host": HOST}, 0),
    "part of a file": request_head("GET", f"/static/{STATIC}", {"Host": HOST, "Range": "bytes=0-9"}, 0),
    "page": request_head("GET", "/favicon.ico", {"Host": HOST}, 0),
    "half a head": b"GET /longpoll HTTP/1.1\r\nHost: 127",
    "half a body": request_head("POST", "/sse", JSON, 100) + b'{"mid":',
    "a poll and a half": request_head("GET", "/shortpoll", {"Host": HOST}, 0) + b"GET /longp",
    "nothing": b"",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
async def test_refused_and_broken_requests_are_conserved(data, counted):
    """Whatever comes over a connection, and however it ends, every byte is counted once."""
    before = await meters(counted)
    wire = await Wire.open(counted)
    await wire.send(data)
    await wire.close()
    await is_conserved(counted)
    grown = growth(before, await meters(counted))
    assert min(leaves({mode: without_times(meter) for mode, meter in grown["techniques"].items()})) >= 0
    assert grown["total"]["connections"] >= 2


FRAMES = {
    "many sends in one piece": b"".join(client_frame(TEXT, canonical(draft(text))) for text in TEXTS * 3),
    "a send in two frames": client_frame(TEXT, b'{"mid":', 0) + client_frame(0, b'"x"}'),
    "a binary frame": client_frame(BINARY, b"\x00" * 200),
    "no json": client_frame(TEXT, b"hello"),
    "many pings": client_frame(PING, b"p" * 100) * 50,
    "a pong out of the blue": client_frame(PONG, b""),
    "a frame too long": client_frame(TEXT, b"x" * 20_000),
    "half a frame": client_frame(TEXT, b"x" * 500)[:300],
    "a reserved opcode": client_frame(5, b"?"),
    "a close": client_frame(CLOSE, b"\x03\xe8bye"),
    "a send behind a close": client_frame(CLOSE, b"") + client_frame(TEXT, canonical(draft())),
}


@pytest.mark.parametrize("polite", [True, False], ids=["closed", "vanished"])
@pytest.mark.parametrize("data", FRAMES.values(), ids=FRAMES)
async def test_whatever_comes_over_a_websocket_is_conserved(data, polite, counted):
    """Good and bad frames, answered or not: every byte is counted once, and no figure is negative."""
    before = await meters(counted)
    listener = await client("websocket", counted).connect("latest")
    await listener.wire.send(data)
    await listener.wire.close() if polite else listener.wire.abort()
    await is_held(counted, "websocket", 0)
    await is_conserved(counted)
    grown = growth(before, await meters(counted))["techniques"]
    assert min(leaves({mode: without_times(meter) for mode, meter in grown.items()})) >= 0


def without_times(meter):
    """The counters of a technique; means and percentiles may also fall."""
    return {use: {name: meter[use][name] for name in meter[use] if name != "delivery_s"} for use in USES}


async def test_an_interim_answer_is_head(counted):
    """`100 Continue` and the answer that follows are two heads, and the body between them is payload."""
    head, body = post("/sse", "continued")
    head = head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    before, wire = await meters(counted), await Wire.open(counted)
    await wire.send(head)
    assert (await wire.read_head()).status == 100
    await wire.send(body)
    assert (await wire.read_answer()).status == 201
    heads = len(head) + wire.heads_received
    tally = Tally(len(wire.sent), len(wire.received), heads, len(body))
    assert_tally(growth(before, await meters(counted))["techniques"]["sse"]["send"], tally)


async def test_an_answer_to_http_1_0_is_counted(counted):
    """A client without chunks gets the bytes as they are until the end, and they are counted all the same."""
    before, wire = await meters(counted), await Wire.open(counted)
    await wire.send(b"GET /sse?after=latest HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    await wire.read_head()
    await publish(counted, 2)
    while wire.received.count(b"data: ") < 2:
        await wire.more()
    assert b"\r\n" not in wire.received[wire.heads_received :]
    wire.abort()
    await is_held(counted, "sse", 0)
    grown = growth(before, await meters(counted))["techniques"]["sse"]["receive"]
    assert (grown["bytes_out"], grown["messages"]) == (len(wire.received), 2)


async def test_a_half_request_belongs_to_no_technique(counted):
    """Bytes that never became a request are `other`."""
    before, wire = await meters(counted), await Wire.open(counted)
    await wire.send(REFUSED["half a head"])
    await wire.close()
    await is_conserved(counted)
    assert not any(leaves(growth(before, await meters(counted))["techniques"]))


async def test_a_client_that_disconnects_in_the_next_request_is_counted_once():
    """The end comes while the first of two requests is answered, with the half of the second unread."""
    async with running(Settings(port=0, redis="private"), temporary=True) as lab:  # in this very event loop,
        wire = await Wire.open(lab.port)
        await wire.send(REFUSED["a poll and a half"])
        wire.drop()  # so that the lab finds both at once
        await is_conserved(lab.port)


async def test_every_connection_is_counted(counted):
    """`total.connections` grows by one for each connection, whatever comes of it."""
    before = await meters(counted)
    wires = [await Wire.open(counted) for _ in range(5)]
    for wire in wires:
        await wire.close()
    assert growth(before, await meters(counted))["total"]["connections"] == 5 + 1


async def test_reading_the_meters_changes_only_other(counted):
    """A request for the meters is counted as `other`, and changes no technique."""
    first, second, third = [await meters(counted) for _ in range(3)]
    for before, after in ((first, second), (second, third)):
        grown = growth(before, after)
        assert not any(leaves(grown["techniques"]))
        assert grown["since"] == 0
        assert {way: grown["other"][way] for way in WAYS} == {way: grown["total"][way] for way in WAYS}
