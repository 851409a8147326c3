"""The meters against witnesses from outside: raw clients, a relay that knows no protocol, and the kernel."""

import asyncio
import json
import sys
import time
import zlib
from collections import Counter
from dataclasses import asdict
from fractions import Fraction

import pytest
import websockets
from hypothesis import given
from hypothesis import strategies as st

from lab.meters import Durations, summary
from lab.server.lifecycle import running
from lab.settings import Settings
from tests.support.base_listener import Tally
from tests.support.drafts import draft
from tests.support.framings import BINARY, CLOSE, PING, PONG, TEXT, canonical, client_frame
from tests.support.lab_process import ROOT, LabProcess
from tests.support.lab_state import held, here, is_conserved, meters, publish
from tests.support.listeners import CALLBACK, POLLING, STREAMING, WAITING, client, each_technique
from tests.support.relay import relay
from tests.support.wire import HOST, Wire, eventually, fetch, request_head

TEXTS = ["short", "中文，带标点", "x" * 300, "</script>&\u2028\u2029<!--", 'quotes "\\" and \n']
WAYS, USES = ("bytes_in", "bytes_out"), ("receive", "send")
each_way_to_connect = pytest.mark.parametrize("keep_alive", [True, False], ids=["kept-alive", "closed"])


@pytest.fixture(scope="module")
def counted():
    """The port of a lab that no other test uses."""
    process = LabProcess()
    yield process.port
    process.stop()


async def visit(mode, port, place, keep_alive=True):
    """Connect, send some messages and one twice, receive them all, get one empty answer, and leave."""
    listener = await client(mode, port, keep_alive=keep_alive).connect(place)
    mids = [draft()["mid"] for _ in TEXTS]
    for text, mid in zip([*TEXTS, TEXTS[0]], [*mids, mids[0]], strict=True):
        await listener.send(text, "ann", mid=mid)
    await listener.receive(len(TEXTS))
    if mode in POLLING:
        await listener.poll(hold="0")
    await listener.leave()
    return listener


def growth(before, after):
    """What has been added to each figure."""
    if isinstance(before, dict):
        return {name: growth(before[name], after[name]) for name in before}
    return (after or 0) - (before or 0)


def moved(meter, way):
    """The bytes of one technique in one way, receiving and sending together."""
    return meter["receive"][way] + meter["send"][way]


def assert_tally(meter, tally):
    """The meter has counted what the client saw, and the rest of the bytes is framing."""
    assert {name: meter[name] for name in asdict(tally)} == asdict(tally)
    parts = meter["head_bytes"] + meter["framing_bytes"] + meter["payload_bytes"]
    assert parts == meter["bytes_in"] + meter["bytes_out"]
    assert meter["framing_bytes"] >= 0


def assert_conserved(counts):
    """The techniques and `other` together are the total, exactly."""
    for way in WAYS:
        parts = sum(moved(meter, way) for meter in counts["techniques"].values())
        assert parts + counts["other"][way] == counts["total"][way], way


# To the byte --------------------------------------------------------------------------------------


@each_technique
@each_way_to_connect
async def test_the_meters_equal_a_relay_to_the_byte(mode, keep_alive, counted):
    """Whatever a client of a technique does, its meters grow by exactly the bytes that a relay passed on."""
    place, before = await here(counted), await meters(counted)
    async with relay(counted) as between:
        await visit(mode, between.port, place, keep_alive)
    grown = growth(before, await meters(counted))
    mine = grown["techniques"][mode]
    assert (moved(mine, "bytes_in"), moved(mine, "bytes_out")) == (between.to_lab, between.from_lab)


@each_technique
@each_way_to_connect
async def test_the_meters_equal_the_clients_own_count(mode, keep_alive, counted):
    """Bytes, heads and payload are what a raw client saw, receiving and sending; the rest is framing."""
    place, before = await here(counted), await meters(counted)
    listener = await visit(mode, counted, place, keep_alive)
    grown = growth(before, await meters(counted))["techniques"][mode]
    assert_tally(grown["receive"], listener.tally("receive"))
    assert_tally(grown["send"], listener.tally("send"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports what a connection has moved")
@each_technique
async def test_the_meters_equal_the_kernel_to_the_byte(mode, counted):
    """The operating system's own count of a client's connections is the meters' count."""
    place, before = await here(counted), await meters(counted)
    listener = await client(mode, counted).connect(place)
    for text in TEXTS:
        await listener.send(text)
    await listener.receive(len(TEXTS))
    wires = {*listener.receiving, *listener.sending}
    await eventually(lambda: acknowledged(wires), "everything sent was acknowledged")
    mine = growth(before, await meters(counted))["techniques"][mode]
    kernel = [sum(column) for column in zip(*(wire.kernel_tally() for wire in wires), strict=True)]
    assert [moved(mine, "bytes_in"), moved(mine, "bytes_out")] == kernel


async def acknowledged(wires):
    """Whether all that was sent has arrived."""
    return all(wire.kernel_tally()[0] == len(wire.sent) for wire in wires)


@each_technique
async def test_only_the_technique_in_use_grows(mode, counted):
    """A visit by one technique leaves the meters of the others as they were."""
    place, before = await here(counted), await meters(counted)
    await visit(mode, counted, place)
    grown = growth(before, await meters(counted))["techniques"]
    del grown[mode]
    assert not any(leaves(grown))


def leaves(tree):
    """All figures in a tree of figures."""
    return [leaf for part in tree.values() for leaf in leaves(part)] if isinstance(tree, dict) else [tree]


@each_technique
async def test_payload_is_the_message_objects_times_the_receivers(mode, counted):
    """Three receivers of the same messages: three times the bytes of the message objects, however framed."""
    place = await here(counted)
    before = await meters(counted)
    listeners = [await client(mode, counted).connect(place) for _ in range(3)]
    ids = await publish(counted, 4, TEXTS[3])
    for listener in listeners:
        await listener.receive_until(ids[-1])
    grown = growth(before, await meters(counted))["techniques"][mode]["receive"]
    objects = sum(len(canonical(event)) for event in listeners[0].events)
    assert (grown["payload_bytes"], grown["messages"]) == (3 * objects, 3 * 4)


@each_technique
async def test_a_header_is_head_and_nothing_else(mode, counted):
    """A request header added on purpose makes exactly `head_bytes` and `bytes_in` larger, by its length."""
    plain, padded = [
        await cost_of_arriving(mode, counted, headers) for headers in ({}, {"X-Padding": "x" * 99})
    ]
    line = len(f"X-Padding: {'x' * 99}\r\n")
    grown = growth(plain, padded)
    assert (grown.pop("head_bytes"), grown.pop("bytes_in")) == (line, line)
    assert not any(leaves(grown))


async def cost_of_arriving(mode, port, headers):
    """What the meters count for one receive request that receives nothing."""
    place, before = await here(port), await meters(port)
    listener = await client(mode, port, headers=headers).connect(place)
    if mode in POLLING:
        await listener.poll(hold="0")
    await listener.leave()
    return growth(before, await meters(port))["techniques"][mode]["receive"]


# Conservation -------------------------------------------------------------------------------------


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


async def is_held(port, mode, count):
    """Wait until so many receive requests of this technique are open."""

    async def probe():
        return await held(port, mode) == count

    await eventually(probe, f"{count} open requests of {mode}")


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


# Counts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", POLLING)
@each_way_to_connect
async def test_polls_are_counted(mode, keep_alive, counted):
    """Of five polls three brought nothing: five requests, three empty, on one kept connection or on five."""
    place, before = await here(counted), await meters(counted)
    listener = await client(mode, counted, keep_alive=keep_alive).connect(place)
    for messages in (0, 2, 0, 1, 0):
        await publish(counted, messages)
        await listener.poll(hold="0")
    counts = growth(before, await meters(counted))["techniques"][mode]["receive"]
    expected = {"requests": 5, "empty": 3, "messages": 3, "connections": 1 if keep_alive else 5}
    assert {name: counts[name] for name in expected} == expected


@pytest.mark.parametrize("mode", STREAMING)
async def test_streams_are_counted(mode, counted):
    """A stream is one request on one connection, however many messages it carries."""
    before = await meters(counted)
    listener = await client(mode, counted).connect("latest")
    await publish(counted, 5)
    await listener.receive(5)
    counts = growth(before, await meters(counted))["techniques"][mode]["receive"]
    expected = {"requests": 1, "messages": 5, "connections": 1}
    assert {name: counts[name] for name in expected} == expected


@each_technique
async def test_sends_are_counted(mode, counted):
    """Of five sends one is a repeat and one is refused: three stored, five requests or frames."""
    before = await meters(counted)
    sender, mid = client(mode, counted), draft()["mid"]
    for fields in (draft(), draft(), draft(mid=mid), draft(mid=mid), draft(body="")):
        await sender.send_fields(fields)
    counts = growth(before, await meters(counted))["techniques"][mode]["send"]
    asked = counts["frames_in"] if mode == "websocket" else counts["requests"]
    assert (asked, counts["messages"], counts["connections"]) == (5, 3, 1)


async def test_a_304_is_an_empty_answer(counted):
    """Not modified: a request, an empty answer, and its bytes are all head."""
    place, before = await here(counted), await meters(counted)
    tag = (await fetch(counted, "GET", f"/shortpoll?after={place}")).headers["etag"]
    await fetch(counted, "GET", f"/shortpoll?after={place}", {"If-None-Match": tag})
    counts = growth(before, await meters(counted))["techniques"]["shortpoll"]["receive"]
    assert (counts["requests"], counts["empty"], counts["messages"]) == (2, 2, 0)
    assert counts["framing_bytes"] == len(f'{{"messages":[],"cursor":"{place}"}}')


async def test_websocket_frames_are_counted(counted):
    """Frames out are events, acks and pongs; frames in are sends and pings; each where it belongs."""
    before = await meters(counted)
    listener = await client("websocket", counted).connect("latest")
    for text in TEXTS[:3]:
        await listener.send(text)
    await listener.receive(3)
    await listener.wire.send(client_frame(PING, b"!"))
    await listener.step()
    counts = growth(before, await meters(counted))["techniques"]["websocket"]
    frames = {way: [counts[use][f"frames_{way}"] for use in ("receive", "send")] for way in ("in", "out")}
    assert frames == {"in": [1, 3], "out": [3 + 1, 3]}


@each_technique
async def test_deliveries_are_timed(mode, counted):
    """Each message that reaches a listener is one sample, between nothing and the time that passed."""
    place, before = await here(counted), await meters(counted)
    listeners, began = [await client(mode, counted).connect(place) for _ in range(3)], time.monotonic()
    ids = await publish(counted, 5)
    for listener in listeners:
        await listener.receive_until(ids[-1])
    after = (await meters(counted))["techniques"][mode]["receive"]["delivery_s"]
    took = time.monotonic() - began
    assert after["count"] - before["techniques"][mode]["receive"]["delivery_s"]["count"] == 3 * 5
    assert 0 <= after["p50"] <= after["p95"] <= after["p99"] <= after["max"]
    assert 0 < after["mean"] < max(took, after["max"])


async def test_old_messages_to_a_new_listener_are_no_slow_deliveries(counted):
    """A message sent long before a listener connected does not count as delivered late."""
    await publish(counted, 1)
    before = (await meters(counted))["techniques"]["sse"]["receive"]["delivery_s"]
    listener = await client("sse", counted).connect()
    await listener.receive()
    assert (await meters(counted))["techniques"]["sse"]["receive"]["delivery_s"] == before


async def test_prometheus_gets_the_same_figures(counted):
    """`/metrics` says of every technique what `/meters` says."""
    await visit("sse", counted, await here(counted))
    counts = (await meters(counted))["techniques"]["sse"]["receive"]
    text = (await fetch(counted, "GET", "/metrics")).body.decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    labels = 'direction="receive",technique="sse"'
    swapped = 'technique="sse",direction="receive"'
    found = values.get(
        f"pushlab_messages_total{{{labels}}}", values.get(f"pushlab_messages_total{{{swapped}}}")
    )
    assert float(found) == counts["messages"]


# Percentiles --------------------------------------------------------------------------------------

SAMPLES = st.lists(st.floats(0, 1e6), min_size=1, max_size=300)


def nearest_rank(samples, share):
    """The smallest sample that at least this share of all samples does not exceed, found by looking."""
    need = Fraction(share) * len(samples)
    return next(sample for place, sample in enumerate(sorted(samples), start=1) if place >= need)


@given(SAMPLES)
def test_percentiles_are_samples_of_the_right_rank(samples):
    """p50, p95 and p99 are the samples that a sorted list shows; max is the last of them."""
    figures = summary(samples)
    expected = {"p50": "1/2", "p95": "19/20", "p99": "99/100"}
    assert {name: figures[name] for name in expected} == {
        name: nearest_rank(samples, share) for name, share in expected.items()
    }
    assert (figures["max"], figures["count"]) == (max(samples), len(samples))
    assert figures["mean"] == pytest.approx(sum(samples) / len(samples))


def test_percentiles_have_the_right_rank_for_every_count():
    """No number of samples makes the rank one too high or too low."""
    for count in range(1, 2001):
        figures = summary(range(1, count + 1))
        wanted = [-(-count * share // 100) for share in (50, 95, 99)]
        assert [figures[name] for name in ("p50", "p95", "p99")] == wanted


def test_nothing_measured_is_not_zero():
    """Without a sample there is no figure but the count."""
    figures = summary([])
    assert figures.pop("count") == 0
    assert set(figures.values()) == {None}


@given(SAMPLES)
def test_durations_are_summed_up_like_any_samples(samples):
    """Taken in heaps of any size, samples give the same figures as all at once."""
    durations = Durations()
    for size in range(len(samples) + 1):
        durations.add(samples[size * (size - 1) // 2 : size * (size + 1) // 2])
    assert durations.as_json() == pytest.approx(summary(samples))


def test_percentiles_follow_the_newest():
    """In a long lesson they are those of the last some thousand; count, mean and max are of all."""
    durations = Durations()
    for sample in (*[3.0] * 100, *[1.0] * 200, *[2.0] * 100):
        durations.add([sample] * 100)
    figures = durations.as_json()
    assert (figures["p50"], figures["p99"]) == (2.0, 2.0)
    assert (figures["count"], figures["mean"], figures["max"]) == (40_000, 1.75, 3.0)


# Compression --------------------------------------------------------------------------------------

DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate"}


@pytest.fixture(scope="module")
def compressing():
    """The port of a lab that compresses."""
    process = LabProcess(compress=True)
    yield process.port
    process.stop()


def deflated(data):
    """A message as a compressing client sends it."""
    squeeze = zlib.compressobj(wbits=-15)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_compressed_payload_counts_uncompressed(compressing):
    """With compression payload stays the size of the messages, bytes get fewer, framing is not negative."""
    before = await meters(compressing)
    listener = await client("websocket", compressing, headers=DEFLATE).connect("latest")
    ids = await publish(compressing, 5, "a" * 400)
    await listener.receive_until(ids[-1])
    counts = growth(before, await meters(compressing))["techniques"]["websocket"]["receive"]
    assert all(frame.deflated for frame in listener.frames)
    assert counts["payload_bytes"] == listener.received_payload
    assert counts["bytes_out"] == len(listener.wire.received) < listener.received_payload
    assert 0 <= counts["framing_bytes"] < 200


async def test_a_compressed_send_counts_uncompressed(compressing):
    """A send that came compressed weighs what it weighs unpacked."""
    before = await meters(compressing)
    listener = await client("websocket", compressing, headers=DEFLATE).connect("latest")
    payload = json.dumps(draft("b" * 400)).encode()
    await listener.wire.send(client_frame(TEXT, deflated(payload), 0xC0))
    (message,) = await listener.receive()
    await listener.listen_until(lambda: listener.answers)
    counts = growth(before, await meters(compressing))["techniques"]["websocket"]["send"]
    assert message["body"] == "b" * 400
    assert (counts["messages"], counts["payload_bytes"]) == (1, len(payload))
    assert counts["bytes_in"] < len(payload)
    assert counts["framing_bytes"] >= 0


async def test_a_client_without_compression_is_counted_as_before(compressing):
    """A client that did not ask for compression gets plain frames, and its bytes add up exactly."""
    place, before = await here(compressing), await meters(compressing)
    listener = await visit("websocket", compressing, place)
    grown = growth(before, await meters(compressing))["techniques"]["websocket"]
    assert not any(frame.deflated for frame in listener.frames)
    assert_tally(grown["receive"], listener.tally("receive"))
    assert_tally(grown["send"], listener.tally("send"))


async def test_compression_conserves(compressing):
    """Compressed or not, the parts are the total."""
    listener = await client("websocket", compressing, headers=DEFLATE).connect("latest")
    await publish(compressing, 3)
    await listener.receive(3)
    await listener.leave()
    assert_conserved(await meters(compressing))


async def test_another_library_reads_all_compressed_messages(compressing):
    """The `websockets` client, which compresses by itself, receives every message and can send."""
    url = f"ws://{HOST}:{compressing}/websocket?after=latest"
    async with websockets.connect(url, compression="deflate") as socket:
        assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
        ids = await publish(compressing, 20, "long enough to be compressed " * 10)
        received = [json.loads(await socket.recv()) for _ in ids]
        await socket.send(json.dumps(draft("c" * 300)))
        rest = [json.loads(await socket.recv()) for _ in range(2)]
    assert [message["id"] for message in received] == ids
    assert Counter(event["type"] for event in rest) == {"ack": 1, "message": 1}
