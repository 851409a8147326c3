"""What every technique promises listeners and senders: every message once, in order, as it was sent."""

import asyncio
import itertools
import time
from uuid import uuid4

import pytest

from tests.support.drafts import epoch, number
from tests.support.lab_state import KEPT, here, is_held, publish, several
from tests.support.listeners import POLLING, STREAMING, WAITING, client, each_technique

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
