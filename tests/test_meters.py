"""The meters against witnesses from outside: raw clients, a relay that knows no protocol, and the kernel."""

import sys
import time

import pytest

from tests.support.counting import TEXTS, assert_tally, each_way_to_connect, growth, leaves, moved, visit
from tests.support.drafts import draft
from tests.support.framings import PING, canonical, client_frame
from tests.support.lab_state import here, meters, publish
from tests.support.listeners import POLLING, STREAMING, client, each_technique
from tests.support.relay import relay
from tests.support.wire import eventually, fetch

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
