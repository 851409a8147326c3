"""A lab that closes during sends by WebSocket acknowledges what it stored before it disconnects."""

import asyncio
import json
import signal

import pytest

from tests.support.drafts import draft, number
from tests.support.framings import CLOSE, TEXT, client_frame, read_frame
from tests.support.lab_process import OpenLab
from tests.support.lab_state import meters, top
from tests.support.listeners import client
from tests.support.redis_server import RedisServer, free_port
from tests.support.wire import Wire, eventually

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.timeout(120)]
SENDERS, SENDS = 20, 400
UNREAD = 100_000
"""Bytes behind a request: the lab reads less than half of them while its response streams."""


@pytest.fixture
def store():
    """A Redis that outlives the labs."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def open_lab(store):
    """Open labs over that Redis."""
    opened = []

    def open_one():
        opened.append(OpenLab(store.url, free_port()))
        return opened[-1]

    yield open_one
    for lab in opened:
        lab.stop()


async def answers_until_closed(listener):
    """What this socket is answered before the lab closes it, by mid; and the close code."""
    answers = {}
    while (frame := await read_frame(listener.wire)).opcode != CLOSE:
        said = json.loads(frame.payload) if frame.opcode == TEXT else {}
        if said.get("type") in ("ack", "error"):
            answers[said["mid"]] = said
    listener.abort()
    return answers, frame.close_code


@pytest.mark.parametrize("receive", ["1", "0"])
async def test_a_send_in_flight_is_answered_before_the_close(receive, store, open_lab):
    """While Redis hangs the lab is asked to end: a sender that waits gets its ack, and then 1012."""
    lab, fields = open_lab(), draft()
    listener = await client("websocket", lab.port, receive=receive).connect("latest")
    store.freeze()
    await listener.wire.send(client_frame(TEXT, json.dumps(fields).encode()))
    await eventually(lambda: has_come(lab.port), "the send has come")
    lab.signal(signal.SIGTERM)
    await eventually(lambda: refuses(lab.port), "the lab listens no more")
    store.thaw()
    answers, code = await answers_until_closed(listener)
    assert (list(answers), code) == ([fields["mid"]], 1012)


@pytest.mark.parametrize("receive", ["1", "0"])
async def test_an_idle_socket_is_closed_with_1012(receive, open_lab):
    """An idle socket, also one that only sends, is closed with 1012 and not cut."""
    lab = open_lab()
    listener = await client("websocket", lab.port, receive=receive).connect("latest")
    lab.signal(signal.SIGTERM)
    assert await answers_until_closed(listener) == ({}, 1012)


async def test_bytes_that_the_lab_has_not_read_cost_no_last_answer(open_lab):
    """A client sends more than the lab reads while it waits, and reads its bye only when the lab is gone."""
    lab = open_lab()
    wire = await Wire.open(lab.port)
    await wire.request("GET", "/sse?after=latest")
    await wire.read_head()
    await wire.send(b"x" * UNREAD)
    lab.signal(signal.SIGTERM)
    await eventually(lambda: refuses(lab.port), "the lab listens no more")
    assert await asyncio.to_thread(lab.wait) == 0
    assert b"event: bye" in await wire.take_rest()


async def has_come(port):
    """Whether the lab has a send by WebSocket in hand."""
    return (await meters(port))["techniques"]["websocket"]["send"]["frames_in"] == 1


async def refuses(port):
    """Whether no process listens at this port any more."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return True
    writer.close()
    return False


async def test_what_was_stored_was_acknowledged(open_lab):
    """Twenty send without a pause while the lab goes: what has no ack was not stored, and is new again.

    They only send: one that also received all messages of the others, and read none, would be closed.
    """
    lab, mids = open_lab(), []
    senders = [client("websocket", lab.port, receive="0") for _ in range(SENDERS)]
    listeners = [await sender.connect("latest") for sender in senders]
    for listener in listeners:
        sends = [draft(f"{n}") for n in range(SENDS)]
        mids += [fields["mid"] for fields in sends]
        frames = [client_frame(TEXT, json.dumps(fields).encode()) for fields in sends]
        await listener.wire.send(b"".join(frames))
    first = json.loads((await read_frame(listeners[0].wire)).payload)
    lab.signal(signal.SIGTERM)
    met = await asyncio.gather(*map(answers_until_closed, listeners))
    acked = {first["mid"], *(mid for answers, _ in met for mid in answers)}
    assert {code for _, code in met} == {1012}
    assert len(acked) > 1, "the lab went too early for this test"
    lab.wait()
    await all_else_is_new(open_lab().port, [mid for mid in mids if mid not in acked], len(acked))


async def all_else_is_new(port, unanswered, stored):
    """The history holds exactly what was acknowledged, and nothing unanswered stands in it."""
    assert number(await top(port)) == stored
    receipts = [await client("websocket", port).send(mid=mid) for mid in unanswered[:: SENDS // 4]]
    assert [receipt.answer["duplicate"] for receipt in receipts] == [False] * len(receipts)
