"""What every technique promises listeners and senders: the same promises, by the same names."""

import asyncio
import itertools
import json
import signal
import time
from email.utils import parsedate_to_datetime
from uuid import uuid4

import pytest

from tests.support.drafts import draft, epoch, number
from tests.support.framings import PING, PONG, TEXT, client_frame
from tests.support.lab_process import LabProcess
from tests.support.lab_state import held, here, history, is_in_room, meters, publish
from tests.support.listeners import CALLBACK, POLLING, STREAMING, WAITING, client, each_technique
from tests.support.wire import HOST, Closed, Wire, eventually, fetch, request_head

KEPT = 100
HOSTILE = {
    "script end": "</script><script>alert(1)</script>",
    "comment": "<!-- <script> --> ]]> <![CDATA[",
    "line separators": "a\u2028b\u2029c\u0085d",
    "newlines": "cr\rlf\ncrlf\r\n\n\ndata: x\nid: 9-9\nevent: bye\n\n",
    "control": "nul\0bell\x07escape\x1b[31m\x7f\x01",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈\U0010ffff",
    "bidi": "\u202eabc\u202c \u2066مرحبا\u2069 שלום",
    "quotes": "'\"`\\'\\\"\\u003c\\n",
    "brackets": "f(1);*/ /**/ }) ]} ${x} {{y}} {%z%}",
    "json": '{"type":"bye","retry_ms":1}',
    "nonce": 'nonce="" <script nonce="                      ">',
    "query": "a+b&c=d;e#f?g%00%h%20 i",
    "spaces": " \t two  spaces \u00a0\u3000",
    "bom": "\ufeffbom\ufffe\uffff",
    "long": "长" * 500,
}
EACH_HOSTILE = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


@pytest.fixture(scope="module")
def full_history():
    """A lab in whose room 250 messages were sent: its port and all their cursors."""
    process = LabProcess()
    yield process.port, asyncio.run(publish(process.port, 250))
    process.stop()


# Arriving -----------------------------------------------------------------------------------------


@each_technique
async def test_a_new_listener_receives_everything_kept(mode, full_history):
    """Without a cursor a listener gets the oldest kept message first, then all others, and no gap event."""
    port, ids = full_history
    listener = await client(mode, port).connect()
    await listener.receive_until(ids[-1])
    assert listener.ids == ids[-KEPT:]
    assert set(listener.kinds) == {"message"}


@each_technique
async def test_an_empty_cursor_is_no_cursor(mode, full_history):
    """`after=` with nothing behind it is the same as no `after`."""
    port, ids = full_history
    listener = await client(mode, port).connect("")
    await listener.receive_until(ids[-1])
    assert listener.ids == ids[-KEPT:]


@each_technique
async def test_a_message_has_its_sender_text_and_time(mode, lab):
    """A message has type, id, mid, username, body and time, in exactly the words of its sender."""
    listener = await client(mode, lab.port).connect("latest")
    before, mid = time.time(), str(uuid4())
    receipt = await client(mode, lab.port).send("good morning", "ann", mid=mid)
    (message,) = await listener.receive()
    assert before - 1 < message.pop("time") < time.time() + 1
    said = {"mid": mid, "username": "ann", "body": "good morning"}
    assert message == {"type": "message", "id": receipt.id} | said


@each_technique
async def test_latest_means_from_now_on(mode, lab):
    """`after=latest` brings nothing old: the first event is the next message."""
    await publish(lab.port, 3, "old")
    listener = await client(mode, lab.port).connect("latest")
    new = await publish(lab.port, 2, "new")
    await listener.receive_until(new[-1])
    assert listener.ids == new


@pytest.mark.parametrize("mode", WAITING)
async def test_a_held_question_for_the_latest_is_answered_by_the_next_message(mode, lab):
    """A poll that waits with `after=latest` is held, and answered in the moment in which a message comes."""
    await publish(lab.port, 1, "old")
    poller = client(mode, lab.port)
    poller.cursor = "latest"
    await poller.ask()
    await is_held(lab.port, mode)
    ids = await publish(lab.port, 1, "new")
    await poller.take_answer()
    assert poller.ids == ids


async def is_held(port, mode, count=1):
    """Wait until so many receive requests of this technique are open."""

    async def probe():
        return await held(port, mode) == count

    await eventually(probe, f"{count} open requests of {mode}")


@pytest.mark.parametrize("mode", STREAMING)
async def test_a_streaming_answer_sends_its_head_before_the_first_event(mode, lab):
    """The head of an answer without end comes at once, although there is nothing to say yet."""
    listener = await client(mode, lab.port).connect("latest")
    assert listener.events == []
    assert listener.head.status == (101 if mode == "websocket" else 200)


@each_technique
async def test_messages_come_in_order(mode, lab):
    """Messages reach each listener in the order of their ids, which have no holes."""
    listener = await client(mode, lab.port).connect(await here(lab.port))
    senders = [client(mode, lab.port) for _ in range(4)]
    receipts = await asyncio.gather(*(several(sender, 10) for sender in senders))
    ids = sorted(itertools.chain(*receipts), key=number)
    await listener.receive_until(ids[-1])
    assert listener.ids == ids
    assert [number(id_) for id_ in ids] == list(range(number(ids[0]), number(ids[0]) + 40))


async def several(sender, count):
    """Send so many messages; returns their cursors."""
    return [(await sender.send(f"message {place}")).id for place in range(count)]


# Nothing lost, nothing doubled --------------------------------------------------------------------


@each_technique
async def test_a_message_sent_while_a_listener_connects_is_received_once(mode, lab):
    """Many listeners connect while many messages are sent: each receives each once, wherever it began."""
    start = await here(lab.port)
    last, places = number(start) + 91, [start, None, "latest"] * 10
    background = asyncio.gather(*(several(client(mode, lab.port), 30) for _ in range(2)))
    connecting, listening, ids, sender = [], [], [], client(mode, lab.port)
    for after in places:
        connecting.append(asyncio.create_task(client(mode, lab.port).connect(after)))
        listening.append(asyncio.create_task(receive_up_to(connecting[-1], last)))
        ids.append((await sender.send()).id)
    ids = sorted(itertools.chain(ids, *await background), key=number)
    await asyncio.gather(*connecting)
    ids.append((await sender.send("end")).id)
    for after, listener in zip(places, await asyncio.gather(*listening), strict=True):
        assert listener.ids == expected(after, ids, listener.ids)


async def receive_up_to(connecting, n):
    """Listen, as soon as connected, until the message of this number has come."""
    return await (await connecting).receive_up_to(n)


def expected(after, ids, received):
    """What a listener who began at `after` must have received of these messages, and of older ones."""
    if after == "latest":
        return ids[len(ids) - len(received) :]
    if after is None:
        last = number(ids[-1])
        return [f"{epoch(ids[-1])}-{n}" for n in range(number(received[0]), last + 1)]
    return ids


@each_technique
async def test_nothing_is_lost_or_doubled_across_reconnects(mode, lab):
    """A listener that vanishes often and reconnects with its cursor receives each message once."""
    cursor, received = await here(lab.port), []
    last = number(cursor) + 90
    sending = asyncio.create_task(publish(lab.port, 90))
    while number(cursor) < last:
        listener = await client(mode, lab.port).connect(cursor)
        await listener.receive_up_to(min(number(cursor) + 7, last))
        listener.abort()
        received, cursor = received + listener.ids, listener.cursor
    assert received == await sending


@each_technique
async def test_coming_back_with_an_older_cursor_repeats_from_there(mode, lab):
    """The cursor alone decides where a listener goes on, not what it was sent before."""
    before = await here(lab.port)
    ids = await publish(lab.port, 5)
    for after, wanted in ((ids[2], ids[3:]), (before, ids), (ids[3], ids[4:])):
        listener = await client(mode, lab.port).connect(after)
        await listener.receive_until(ids[-1])
        assert listener.ids == wanted


# Gaps ---------------------------------------------------------------------------------------------


@each_technique
@pytest.mark.parametrize(("behind", "missed"), [(99, 0), (100, 0), (101, 1), (150, 50)])
async def test_a_gap_has_the_exact_number(mode, full_history, behind, missed):
    """Up to 100 behind nothing is missed; further behind one gap event says how many, then all kept."""
    port, ids = full_history
    listener = await client(mode, port).connect(ids[-behind - 1])
    await listener.receive_until(ids[-1])
    gap = [{"type": "gap", "missed": missed}] if missed else []
    assert listener.events[: len(gap)] == gap
    assert listener.kinds[len(gap) :] == ["message"] * min(behind, KEPT)
    assert listener.ids == ids[-min(behind, KEPT) :]


@each_technique
async def test_the_history_keeps_exactly_100(mode, start_lab):
    """Of 105 messages sent by any technique the newest 100 are kept, and not one more or less."""
    port = start_lab().port
    ids = await several(client(mode, port), 105)
    await eventually(lambda: is_in_room(port, ids[-1]), "the room has the last message")
    kept = await history(port)
    assert [message["id"] for message in kept["messages"]] == ids[-KEPT:]
    assert kept["cursor"] == ids[-1]


@pytest.mark.parametrize("mode", STREAMING)
async def test_a_slow_listener_loses_nothing_unsaid(mode, lab):
    """A listener that does not read during 400 messages receives each later once, or counted as missed."""
    start = number(await here(lab.port))
    listener = await client(mode, lab.port, takes=4096).connect("latest")
    last = (await publish(lab.port, 400, "😀" * 490))[-1]
    await listener.receive_until(last)
    missed = sum(event["missed"] for event in listener.events if event["type"] == "gap")
    numbers = [number(id_) for id_ in listener.ids]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + missed == number(last) - start
    assert missed > 0


# Reset --------------------------------------------------------------------------------------------


@each_technique
async def test_a_cursor_of_another_history_is_reset(mode, full_history):
    """A cursor of a history that is gone brings one reset event, then everything kept."""
    port, ids = full_history
    listener = await client(mode, port).connect("1000000000000-5")
    await listener.receive_until(ids[-1])
    assert listener.kinds == ["reset"] + ["message"] * KEPT
    assert epoch(listener.events[0]["id"]) == epoch(ids[-1])
    assert listener.ids == ids[-KEPT:]


@each_technique
async def test_a_cursor_from_the_future_is_reset(mode, full_history):
    """A cursor beyond the newest message cannot be this history's: reset, then everything kept."""
    port, ids = full_history
    listener = await client(mode, port).connect(f"{epoch(ids[-1])}-{number(ids[-1]) + 1}")
    await listener.receive_until(ids[-1])
    assert listener.kinds == ["reset"] + ["message"] * KEPT
    assert listener.ids == ids[-KEPT:]


@each_technique
async def test_the_cursor_of_a_reset_is_good_for_coming_back(mode, full_history):
    """Coming back with the id of the reset event brings everything kept, with no gap and no reset."""
    port, ids = full_history
    first = await client(mode, port).connect("1000000000000-5")
    await first.receive(kind="reset")
    again = await client(mode, port).connect(first.events[0]["id"])
    await again.receive_until(ids[-1])
    assert again.ids == ids[-KEPT:]
    assert set(again.kinds) == {"message"}


@pytest.fixture(scope="module", params=["FLUSHALL", "DEL"])
def wiped(request, redis_server):
    """Listeners of all techniques, the history wiped under them: the port, who received what, the cursors."""
    process = LabProcess(redis=redis_server.url)
    command = [request.param, "pushlab:room"] if request.param == "DEL" else [request.param]
    yield process.port, *asyncio.run(wipe(process.port, redis_server, command))
    process.stop()


async def wipe(port, redis_server, command):
    """Do it; returns the listeners, the messages before and the message after."""
    await publish(port, 3)
    listeners = {mode: await client(mode, port).connect("latest") for mode in (*POLLING, *STREAMING)}
    before = await publish(port, 5)
    await asyncio.gather(*(listener.receive_until(before[-1]) for listener in listeners.values()))
    redis_server.client.execute_command(*command)
    after = await publish(port, 2, "in the new history")
    await asyncio.gather(*(listener.receive_until(after[-1]) for listener in listeners.values()))
    return listeners, before, after


@pytest.mark.needs("redis-server")
@each_technique
def test_a_wiped_history_resets_open_listeners(mode, wiped):
    """When the history is lost under a listener it receives one reset, then all of the new history once."""
    _, listeners, before, after = wiped
    listener = listeners[mode]
    assert listener.ids == before + after
    assert listener.kinds == ["message"] * 5 + ["reset"] + ["message"] * 2
    assert epoch(listener.events[5]["id"]) == epoch(after[0]) > epoch(before[0])


@pytest.mark.needs("redis-server")
@each_technique
async def test_a_wiped_history_resets_a_returning_listener(mode, wiped):
    """A listener that was away while the history was lost reconnects with the old cursor and is reset."""
    port, _, before, after = wiped
    listener = await client(mode, port).connect(before[2])
    await listener.receive_until(after[-1])
    assert listener.kinds == ["reset", "message", "message"]
    assert listener.ids == after


@pytest.mark.needs("redis-server")
@each_technique
async def test_after_a_reset_the_new_cursors_work(mode, wiped):
    """With the id of the reset, or of any later message, a listener goes on as in any other history."""
    port, listeners, _, after = wiped
    for cursor, wanted in ((listeners[mode].events[5]["id"], after), (after[0], after[1:])):
        listener = await client(mode, port).connect(cursor)
        await listener.receive_until(after[-1])
        assert listener.ids == wanted
        assert set(listener.kinds) == {"message"}


# Text ---------------------------------------------------------------------------------------------


@each_technique
@EACH_HOSTILE
async def test_hostile_text_arrives_as_it_was_sent(mode, text, lab):
    """Every text and every name arrives character by character, by every technique."""
    listener = await client(mode, lab.port).connect("latest")
    name = text.strip()[:32]
    await client(mode, lab.port).send(text, name)
    (message,) = await listener.receive()
    assert (message["body"], message["username"]) == (text, name)


@each_technique
async def test_hostile_text_stays_one_event(mode, lab):
    """No text can end the event that carries it: all hostile texts in a row are that many messages."""
    listener = await client(mode, lab.port).connect("latest")
    sender = client("sse", lab.port)
    ids = [(await sender.send(text, text[:32])).id for text in HOSTILE.values()]
    await listener.receive_until(ids[-1])
    assert listener.kinds == ["message"] * len(HOSTILE)
    assert [event["body"] for event in listener.events] == list(HOSTILE.values())


# Sending ------------------------------------------------------------------------------------------


@each_technique
async def test_the_same_mid_is_stored_once(mode, lab):
    """Sent twice with one mid a message is stored and delivered once; the repeat gets the first id."""
    listener = await client(mode, lab.port).connect("latest")
    sender, mid = client(mode, lab.port), str(uuid4())
    first, second = [await sender.send("once", mid=mid) for _ in range(2)]
    end = await sender.send("end")
    await listener.receive_until(end.id)
    assert (first.answer["duplicate"], second.answer["duplicate"]) == (False, True)
    assert listener.ids == [second.id, end.id] == [first.id, end.id]


@each_technique
async def test_the_same_mid_sent_at_once_from_many_places_is_stored_once(mode, lab):
    """Of ten senders with one mid at the same moment one stores, and nine get the answer `duplicate`."""
    senders, mid = [client(mode, lab.port) for _ in range(10)], str(uuid4())
    receipts = await asyncio.gather(*(sender.send("once", mid=mid) for sender in senders))
    assert len({receipt.id for receipt in receipts}) == 1
    assert sorted(receipt.answer["duplicate"] for receipt in receipts) == [False] + [True] * 9


@pytest.mark.parametrize("first", POLLING)
@pytest.mark.parametrize("second", STREAMING)
async def test_a_mid_is_one_message_for_all_techniques(first, second, lab):
    """A message repeated by another technique is still the same message."""
    mid = str(uuid4())
    receipts = [await client(mode, lab.port).send("once", mid=mid) for mode in (first, second)]
    assert receipts[0].id == receipts[1].id
    assert receipts[1].answer["duplicate"] is True


@each_technique
async def test_the_status_of_a_send_shows_whether_it_was_new(mode, lab):
    """A POST is answered 201 when it stored something, 200 when that was there; a script always with 200."""
    sender, mid = client(mode, lab.port), str(uuid4())
    statuses = [(await sender.send("once", mid=mid)).status for _ in range(2)]
    assert statuses == {"jsonp": [200, 200], "websocket": [None, None]}.get(mode, [201, 200])


@each_technique
async def test_a_sender_is_answered_with_the_id_that_listeners_see(mode, lab):
    """The answer to a send has the message's id, and a WebSocket's ack also its mid, and nothing else."""
    listener = await client(mode, lab.port).connect("latest")
    mid = str(uuid4())
    answer = (await client(mode, lab.port).send("hello", mid=mid)).answer
    (message,) = await listener.receive()
    ack = {"type": "ack", "mid": mid} if mode == "websocket" else {}
    assert answer == ack | {"id": message["id"], "duplicate": False}


@each_technique
async def test_500_characters_are_not_too_many(mode, lab):
    """A body of exactly 500 characters and a username of exactly 32 are taken, whatever their bytes."""
    receipt = await client(mode, lab.port).send("😀" * 500, "é" * 32)
    assert receipt.answer["duplicate"] is False


# Leaving ------------------------------------------------------------------------------------------


@each_technique
async def test_leaving_frees_the_place(mode, lab):
    """An open receive request is counted as open, and no longer once its client has left."""
    listener = await client(mode, lab.port).connect("latest")
    await (listener.ask() if mode in WAITING else asyncio.sleep(0))
    await is_held(lab.port, mode, 0 if mode == "shortpoll" else 1)
    listener.abort()
    await is_held(lab.port, mode, 0)


@pytest.mark.parametrize("mode", POLLING)
async def test_a_thousand_aborted_polls_leave_nothing_open(mode, lab):
    """A thousand clients that ask and vanish leave no request open, and the lab answers as before."""
    place = await here(lab.port)
    for _ in range(10):
        await asyncio.gather(*(ask_and_vanish(mode, lab.port, place) for _ in range(100)))
    await is_held(lab.port, mode, 0)
    assert (await client(mode, lab.port).send("still here")).answer["duplicate"] is False


async def ask_and_vanish(mode, port, after):
    """Ask, and drop the connection without waiting for the answer."""
    poller = client(mode, port)
    poller.cursor = after
    await poller.ask()
    poller.abort()


@pytest.mark.parametrize("mode", STREAMING)
async def test_a_hundred_aborted_streams_leave_nothing_open(mode, lab):
    """A hundred listeners that vanish in the middle of a stream leave nothing open."""
    listeners = [await client(mode, lab.port).connect("latest") for _ in range(100)]
    await is_held(lab.port, mode, 100)
    for listener in listeners:
        listener.abort()
    await is_held(lab.port, mode, 0)


@pytest.fixture(scope="module")
def farewell():
    """Listeners of all techniques at a lab that is ended: what each received, and the lab's exit code."""
    process = LabProcess()
    listeners = asyncio.run(read_to_the_end(process))
    yield listeners, process.wait()
    process.stop()


async def read_to_the_end(process):
    """Listen by all techniques while the lab gets SIGTERM; returns what each received."""
    await publish(process.port, 1)
    place = await here(process.port)
    listeners = {mode: await client(mode, process.port).connect(place) for mode in (*WAITING, *STREAMING)}
    for mode in WAITING:
        await listeners[mode].ask()
        await is_held(process.port, mode)
    client_id = listeners["shortpoll"] = await client("shortpoll", process.port).connect(place)
    await client_id.poll()
    process.signal(signal.SIGTERM)
    await asyncio.gather(*(to_the_end(listener) for listener in listeners.values()))
    return listeners


async def to_the_end(listener):
    """Take everything until the lab has closed the connection."""
    try:
        await (listener.take_answer() if listener.mode in WAITING else listener.step())
        while True:
            await listener.step()
    except (Closed, ConnectionError):
        return


@pytest.mark.parametrize("mode", [*WAITING, *STREAMING])
def test_a_closing_server_sends_a_bye(mode, farewell):
    """On SIGTERM every held request receives one bye event, with the time to reconnect, and ends."""
    listeners, _ = farewell
    (event,) = listeners[mode].events
    assert event.keys() == {"type", "retry_ms"}
    assert event["type"] == "bye"
    assert isinstance(event["retry_ms"], int)
    assert 0 < event["retry_ms"] <= 10_000


def test_a_leaving_server_closes_a_websocket_with_1012(farewell):
    """The WebSocket close code is 1012, service restart: come back."""
    listeners, _ = farewell
    assert listeners["websocket"].close_code == 1012


def test_a_leaving_server_ends_its_answers_properly(farewell):
    """The endless answers end with their last chunk: nothing is cut off."""
    listeners, _ = farewell
    assert all(bytes(listeners[mode].receiving[0].received).endswith(b"\r\n0\r\n\r\n") for mode in ENDLESS)


def test_a_leaving_server_is_gone_with_exit_code_0(farewell):
    """A lab that was asked to end exits with 0."""
    _, code = farewell
    assert code == 0


ENDLESS = [mode for mode in STREAMING if mode != "websocket"]
"""Streams whose end is the end of an answer."""


@pytest.fixture(scope="module")
def leaving():
    """Pollers that ask while the lab closes, on open connections, and what /readyz answers then."""
    process = LabProcess()
    yield asyncio.run(ask_while_leaving(process))
    process.stop()


async def ask_while_leaving(process):
    """Make the lab wait for a client that does not read, ask it to end, and poll once more by each poll."""
    port, place = process.port, await here(process.port)
    await client("sse", port, takes=4096).connect("latest")
    ids = await publish(port, 300, "😀" * 490)
    pollers = {mode: await client(mode, port).connect(place) for mode in POLLING}
    for poller in pollers.values():
        await poller.receive_until(ids[-1])
    health = await Wire.open(port)
    streams = [await Wire.open(port) for _ in ENDLESS]
    process.signal(signal.SIGTERM)
    while (ready := await health.ask("GET", "/readyz")).status == 200:
        pass
    for mode, stream in zip(ENDLESS, streams, strict=True):
        await stream.send(request_head("GET", f"/{mode}?after=latest", {"Host": HOST}, 0))
    await asyncio.gather(*(poller.poll() for poller in pollers.values()), return_exceptions=True)
    await asyncio.gather(*(stream.close() for stream in streams))
    return pollers, ready.json, dict(zip(ENDLESS, streams, strict=True))


@pytest.mark.parametrize("mode", POLLING)
def test_a_request_to_a_closing_server_gets_a_bye(mode, leaving):
    """A poll that reaches the server while it is leaving is answered at once, with a bye."""
    pollers, _, _ = leaving
    assert pollers[mode].kinds[-2:] == ["message", "bye"]


@pytest.mark.parametrize("mode", ENDLESS)
def test_a_stream_request_to_a_closing_server_ends_at_once(mode, leaving):
    """A stream that begins while the server is leaving has a bye, and a proper end."""
    _, _, streams = leaving
    received = bytes(streams[mode].received)
    assert b"retry_ms" in received and received.endswith(b"\r\n0\r\n\r\n")


def test_a_leaving_server_is_not_ready(leaving):
    """While it closes the server reports that it accepts no more work."""
    _, ready, _ = leaving
    assert (ready["ready"], ready["reasons"]) == (False, ["draining"])


# Silence ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def silence(hasty_lab):
    """Listeners of all streaming techniques who listened until something came, although nothing was sent."""
    return asyncio.run(listen_to_nothing(hasty_lab.port))


async def listen_to_nothing(port):
    """Connect by each streaming technique and wait for one sign of life on each."""
    listeners = {mode: await client(mode, port).connect("latest") for mode in STREAMING}
    await asyncio.gather(*(first_sign(listener) for listener in listeners.values()))
    return listeners


async def first_sign(listener):
    """Take what comes until it is a sign of life."""
    while not listener.heartbeats:
        await listener.step()


@pytest.mark.parametrize("mode", STREAMING)
def test_a_silent_stream_shows_signs_of_life(mode, silence):
    """A stream on which nothing is sent gets heartbeats, which are no events."""
    listener = silence[mode]
    assert listener.events == []
    assert listener.heartbeats >= 1
    assert len(listener.receiving[0].received) < 1000


@pytest.mark.parametrize("mode", WAITING)
async def test_a_held_question_times_out_with_an_empty_answer(mode, hasty_lab):
    """When nothing happens up to the server's limit, the answer is empty, with the cursor asked with."""
    place = await here(hasty_lab.port)
    poller = await client(mode, hasty_lab.port).connect(place)
    began = time.monotonic()
    await poller.poll()
    assert 0.45 < time.monotonic() - began < 5
    assert (poller.events, poller.cursor) == ([], place)


@pytest.mark.parametrize("mode", WAITING)
async def test_hold_shortens_the_wait(mode, lab):
    """`hold=0.2` is answered empty after 0.2 seconds, although the server would wait 25."""
    poller = await client(mode, lab.port).connect(await here(lab.port))
    began = time.monotonic()
    await poller.poll(hold="0.2")
    assert 0.15 < time.monotonic() - began < 5
    assert poller.events == []


@pytest.mark.parametrize("mode", WAITING)
async def test_hold_is_never_above_the_servers_own_limit(mode, hasty_lab):
    """However long a client would wait, it is answered when the server's limit is reached."""
    place = await here(hasty_lab.port)
    pollers = [await client(mode, hasty_lab.port).connect(place) for _ in range(3)]
    holds = ("60", "1e300", "inf")
    await asyncio.gather(*(poller.poll(hold=hold) for poller, hold in zip(pollers, holds, strict=True)))
    assert [poller.events for poller in pollers] == [[], [], []]


@pytest.mark.parametrize("mode", WAITING)
async def test_hold_0_is_a_short_poll(mode, lab):
    """`hold=0` is answered at once, with what there is."""
    poller = await client(mode, lab.port).connect(await here(lab.port))
    await poller.poll(hold="0")
    assert poller.events == []
    ids = await publish(lab.port, 2)
    await poller.poll(hold="0")
    assert poller.ids == ids


@pytest.mark.parametrize("mode", WAITING)
async def test_a_held_answer_bears_the_date_of_its_own_moment(mode, lab):
    """The Date of an answer is when it was given, not when it was asked for (RFC 9110 section 6.6.1)."""
    asked = time.time()
    target = f"/{mode}?hold=1.1&callback=f&after={await here(lab.port)}"
    date = (await fetch(lab.port, "GET", target)).headers["date"]
    assert parsedate_to_datetime(date).timestamp() > asked


@pytest.mark.parametrize("mode", WAITING)
async def test_a_held_question_in_http_1_0_may_keep_its_connection(mode, lab):
    """HTTP/1.0 with `keep-alive` gets `keep-alive` in the answer, however long the wait was."""
    target = f"/{mode}?hold=0.2&callback=f&after={await here(lab.port)}"
    wire = await Wire.open(lab.port)
    for _ in range(2):
        await wire.send(f"GET {target} HTTP/1.0\r\nHost: {HOST}\r\nConnection: Keep-Alive\r\n\r\n".encode())
        answer = await wire.read_answer()
        assert (answer.status, answer.headers["connection"].lower()) == (200, "keep-alive")
    await wire.close()


@pytest.mark.parametrize("mode", WAITING)
async def test_one_message_answers_every_held_request(mode, lab):
    """Fifty held questions are all answered by one message."""
    place = await here(lab.port)
    pollers = [await client(mode, lab.port).connect(place) for _ in range(50)]
    for poller in pollers:
        await poller.ask()
    await is_held(lab.port, mode, 50)
    ids = await publish(lab.port, 1)
    await asyncio.gather(*(poller.take_answer() for poller in pollers))
    assert all(poller.ids == ids for poller in pollers)


# Each technique's own form ------------------------------------------------------------------------


async def test_a_short_poll_that_knows_everything_is_304(lab):
    """With the ETag of the last answer, and nothing new, the answer is 304 and has no body."""
    place = await here(lab.port)
    first = await fetch(lab.port, "GET", f"/shortpoll?after={place}")
    again = await fetch(
        lab.port, "GET", f"/shortpoll?after={place}", {"If-None-Match": first.headers["etag"]}
    )
    assert (first.status, again.status, again.body) == (200, 304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_the_same_question_with_the_tag_of_its_answer_is_304(lab):
    """An unconditional answer with messages, asked for again with its own ETag, has not changed either."""
    await publish(lab.port, 1)
    first = await fetch(lab.port, "GET", "/shortpoll")
    again = await fetch(lab.port, "GET", "/shortpoll", {"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


async def test_news_make_a_new_tag(lab):
    """A short poll with the tag of an older answer gets the news, and a new tag."""
    place = await here(lab.port)
    first = await fetch(lab.port, "GET", f"/shortpoll?after={place}")
    ids = await publish(lab.port, 1)
    again = await fetch(
        lab.port, "GET", f"/shortpoll?after={place}", {"If-None-Match": first.headers["etag"]}
    )
    assert again.status == 200
    assert [message["id"] for message in again.json["messages"]] == ids
    assert again.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("mode", POLLING)
async def test_a_poll_is_answered_alike_where_the_connection_ends(mode, lab):
    """Head and body are the same on a connection that goes on and on one that does not, but for saying so."""
    target = f"/{mode}?hold=0&callback=f&after={await here(lab.port)}"
    wishes = ({}, {"Connection": "keep-alive"}, {"Connection": "Keep-Alive"}, {"Connection": "close"})
    answers = [await fetch(lab.port, "GET", target, wish) for wish in wishes]
    dates = [answer.headers.pop("date") for answer in answers]
    assert all(parsedate_to_datetime(date) for date in dates)
    assert answers[-1].headers.pop("connection") == "close"
    assert [answer == answers[-1] for answer in answers] == [True] * len(wishes)


CALLBACKS = [
    *(
        "f",
        "_",
        "$",
        "lab.hear",
        "a.b.c1",
        "jQuery123_456",
        "this.f",
        "functional",
        "newer.f",
        "a.new",
        "$if",
        "in_",
    ),
    *(
        "dojo.io.script.jsonp_dojoIoScript1._jsonpCallback",
        "dojo_request_script_callbacks.dojo_request_script0",
    ),
    *("Ext.data.JsonP.callback1", "YUI.Env.JSONP.yui_3_18_1_1_1700000000000_4", "__gwt_jsonp__.P0.onSuccess"),
    *("angular.callbacks._0", "Request.JSONP.request_map.request_0", "f" * 256, ".".join("a" * 128)),
]


@pytest.mark.parametrize("callback", CALLBACKS)
async def test_jsonp_calls_the_function_that_was_named(callback, full_history):
    """A JSONP answer is a script that calls just this function, and says so: a type and nosniff."""
    poller = client("jsonp", full_history[0], callback=callback)
    answer = await poller.poll()
    assert poller.ids == full_history[1][-KEPT:]
    assert answer.headers["content-type"].startswith("application/javascript")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_jsonp_may_be_received_by_any_site(full_history):
    """Another site's page may fetch the script: that is what JSONP is for."""
    foreign = {
        "Sec-Fetch-Site": "cross-site",
        "Referer": "https://other.example/",
        "User-Agent": "Mozilla/5.0",
    }
    answer = await fetch(full_history[0], "GET", f"/jsonp?callback={CALLBACK}", foreign)
    assert answer.status == 200


async def test_an_iframe_runs_only_scripts_of_this_answer(lab):
    """Every script of the page carries the one nonce of its policy, which is never the same twice."""
    pages = [await client("iframe", lab.port).connect("latest") for _ in range(2)]
    await publish(lab.port, 3)
    for page in pages:
        await page.receive(3)
        assert page.head.headers["content-type"].startswith("text/html")
        (nonce,) = page.page.nonces
        assert f"'nonce-{nonce}'" in page.head.headers["content-security-policy"]
        assert len(page.page.functions) == 1
    assert pages[0].page.nonces != pages[1].page.nonces


async def test_an_iframe_is_for_the_labs_own_pages(lab):
    """No foreign page may frame the endless page."""
    page = await client("iframe", lab.port).connect("latest")
    assert "frame-ancestors 'self'" in page.head.headers["content-security-policy"]


async def test_an_event_stream_is_one(lab):
    """The stream has its type, forbids proxies to buffer, and names when to reconnect."""
    listener = await client("sse", lab.port).connect("latest")
    await publish(lab.port, 1)
    await listener.receive()
    assert listener.head.headers["content-type"].startswith("text/event-stream")
    assert listener.head.headers["x-accel-buffering"] == "no"
    assert listener.stream.retry is not None


async def test_the_last_event_id_wins_over_the_query(full_history):
    """EventSource reconnects with its first URL, and sends its cursor in a header: the header counts."""
    port, ids = full_history
    listener = client("sse", port, headers={"Last-Event-ID": ids[-3]})
    await listener.connect(ids[-50])
    await listener.receive_until(ids[-1])
    assert listener.ids == ids[-2:]


@pytest.mark.parametrize(
    ("header", "query", "after", "left"),
    [("", -4, -50, 3), ("", -4, None, 3), (-3, -9, -50, 2), (-3, None, -50, 2), ("", None, -6, 5)],
)
async def test_a_polyfill_sends_its_cursor_in_the_query(header, query, after, left, full_history):
    """Without a header `lastEventId` says it: it wins over `after`, and the header wins over both."""
    port, ids = full_history
    said = {} if query is None else {"lastEventId": ids[query]}
    headers = {"Last-Event-ID": header and ids[header]}
    listener = client("sse", port, headers=headers, **said)
    await listener.connect(None if after is None else ids[after])
    await listener.receive_until(ids[-1])
    assert listener.ids == ids[-left:]


async def test_a_gap_and_a_reset_keep_the_last_event_id_right(full_history):
    """After a gap event the browser's last event id is still its own; after a reset it is the reset's."""
    port, ids = full_history
    gap = await client("sse", port).connect(ids[0])
    await gap.receive(1, "gap")
    assert gap.stream.last_id in ("", ids[-1])
    reset = await client("sse", port).connect("1000000000000-5")
    await reset.receive_until(ids[-1])
    assert reset.events[0]["id"].startswith(f"{epoch(ids[0])}-")


async def test_a_websocket_sends_one_text_frame_per_event(full_history):
    """Each event is a whole text frame of its own."""
    port, ids = full_history
    listener = await client("websocket", port).connect(ids[-6])
    await listener.receive_until(ids[-1])
    assert [(frame.opcode, frame.final) for frame in listener.frames] == [(1, True)] * 5


async def test_a_websocket_answers_a_ping(lab):
    """A client's ping is answered by a pong with the same bytes."""
    listener = await client("websocket", lab.port).connect("latest")
    await listener.wire.send(client_frame(PING, b"are you there?"))
    await listener.step()
    assert (listener.frames[0].opcode, listener.frames[0].payload) == (PONG, b"are you there?")


async def test_a_fragmented_send_is_one_send(lab):
    """A send in two frames, with a ping between them, is one message (RFC 6455 section 5.4)."""
    listener = await client("websocket", lab.port).connect("latest")
    whole = json.dumps(draft("in two parts")).encode()
    await listener.wire.send(client_frame(TEXT, whole[:20], 0) + client_frame(PING, b""))
    await listener.wire.send(client_frame(0, whole[20:]))
    (message,) = await listener.receive()
    assert message["body"] == "in two parts"


# Around -------------------------------------------------------------------------------------------


async def test_history_is_what_is_kept(full_history):
    """`/history` has the kept messages and the cursor behind them."""
    port, ids = full_history
    kept = await history(port)
    assert [message["id"] for message in kept["messages"]] == ids[-KEPT:]
    assert kept["cursor"] == ids[-1]


async def test_a_healthy_lab_reports_it(lab):
    """`/healthz` and `/readyz` are 200 while the loop is alive and Redis was seen lately."""
    for path in ("/healthz", "/readyz"):
        answer = await fetch(lab.port, "GET", path)
        assert answer.status == 200
        assert isinstance(answer.json, dict)


@each_technique
async def test_a_receive_request_is_presence_and_nothing_else(mode, lab):
    """`client=` and `username=` change nothing in what a listener receives."""
    listener = client(mode, lab.port, client=str(uuid4()), username="a" * 200)
    await listener.connect("latest")
    ids = await publish(lab.port, 2)
    await listener.receive_until(ids[-1])
    assert listener.ids == ids


async def test_json_on_the_wire_is_compact_utf_8(lab):
    """No spaces between tokens, and characters as they are, not as escapes."""
    await client("sse", lab.port).send("你好", "ann")
    body = (await fetch(lab.port, "GET", "/history")).body
    assert json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode() == body


async def test_a_socket_that_only_sends_receives_nothing_else(lab):
    """A socket with `receive=0` receives no message of the room, however far its answers lag."""
    before = (await meters(lab.port))["techniques"]["websocket"]["send"]["frames_in"]
    sender = await client("websocket", lab.port, receive="0", takes=4096).connect()
    await sender.wire.send(client_frame(TEXT, b"{}") * 4000)

    async def all_have_come():
        return (await meters(lab.port))["techniques"]["websocket"]["send"]["frames_in"] - before >= 4000

    await eventually(all_have_come, "the lab has taken all")
    await publish(lab.port, 3)
    while len(sender.answers) < 4000:
        await sender.step()
    await sender.send_frame(TEXT, b"{}")
    assert sender.events == []
    sender.abort()


async def test_one_connection_serves_all_polls_one_after_the_other(lab):
    """A kept-alive connection carries polls and sends of several techniques, each answered in turn."""
    wire = await Wire.open(lab.port)
    for path in ("/shortpoll", "/longpoll", "/history", f"/jsonp?callback={CALLBACK}", "/shortpoll"):
        assert (await wire.ask("GET", path)).status == 200
    await wire.close()
