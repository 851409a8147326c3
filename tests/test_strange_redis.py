"""Other programs write to the room's keys: their entries are removed, and every message is received."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest
from redis.exceptions import ResponseError

from lab.catalogue import MODES
from lab.errors import HistoryUnavailable
from lab.room.history import History
from lab.room.messages import Cursor, Draft
from lab.room.room import Room
from tests.support.drafts import draft
from tests.support.lab_process import LabProcess
from tests.support.lab_state import publish, top
from tests.support.listeners import client, each_technique
from tests.support.redis_server import RedisServer
from tests.support.wire import DEADLINE_S, eventually, fetch

pytestmark = pytest.mark.needs("redis-server")
LAST = 2**64 - 1
"""The highest number in an id of a stream."""
KEPT = 100
Act = Callable[[RedisServer, str, Cursor], object]


def message(**other) -> dict:
    """The fields of a message as a lab writes them, some of them other."""
    return {"mid": str(uuid4()), "username": "bob", "body": "by hand", "time": "1.5"} | other


def add(fields: dict, id_: str = "*", count: int = 1) -> Act:
    """Add an entry; in its id, `E` is the epoch and `N` the next number."""

    def act(server: RedisServer, key: str, at: Cursor) -> None:
        for _ in range(count):
            server.client.xadd(key, fields, id_.replace("E", str(at.epoch)).replace("N", str(at.n + 1)))

    return act


def run(*words: object) -> Act:
    """Run a command; `K` is the key of the room, `T` the id of its last message, `E` the epoch."""

    def act(server: RedisServer, key: str, at: Cursor) -> None:
        places = {"K": key, "T": str(at), "E": f"{at.epoch}-{at.n + 1000}"}
        server.client.execute_command(*(places.get(str(mode), mode) for mode in words))

    return act


def both(*acts: Act) -> Act:
    """One after the other."""
    return lambda *where: [act(*where) for act in acts]


NO_MESSAGES = {
    "other fields": add({"user": "bob", "body": "hi"}),
    "no fields but one": add({"a": "b"}),
    "a missing field": add({"mid": str(uuid4()), "username": "bob", "body": "hi"}),
    "an empty body": add(message(body="")),
    "a foreign id": add(message()),
    "a foreign id, often": add(message(), count=5),
    "an id far ahead": add({"a": "b"}, "E-999"),
    "an id of the future": add(message(), "9999999999999-5"),
    "the last id of all": add({"a": "b"}, f"{LAST}-{LAST}"),
    "a name of no UTF-8": add({b"\xff\xfe": b"\xff"}),
    "a thousand fields": add({f"field {n}": "x" for n in range(1000)}),
    "a megabyte": add({"body": "x" * 10**6}),
    "many": add({"a": "b"}, count=300),
}
"""Entries that are left out; no reader of the lab notices anything."""
NOT_READABLE = {
    "a body of no UTF-8": {"body": b"\xff\xfe"},
    "half of a surrogate pair": {"body": b"\xed\xa0\x80"},
    "a name of no UTF-8": {"username": b"\xc3\x28"},
    "a mid that is no UUID": {"mid": "1"},
    "a time that is none": {"time": "noon"},
    "NaN": {"time": "nan"},
    "infinity": {"time": "inf"},
    "a time before all": {"time": "-1e400"},
}
BROKEN = {name: add(message(**fields), "E-N") for name, fields in NOT_READABLE.items()} | {
    "a hole": add(message(), "E-999"),
    "one taken out": both(add(message(), "E-N"), run("XDEL", "K", "T")),
    "the last taken out": run("XDEL", "K", "T"),
    "trimmed to one": run("XTRIM", "K", "MAXLEN", 1),
    "trimmed to none": run("XTRIM", "K", "MAXLEN", 0),
    "last id ahead": run("XSETID", "K", "E"),
    "last id at the end": run("XSETID", "K", f"{LAST}-{LAST}"),
    "last id behind": both(run("XTRIM", "K", "MAXLEN", 0), run("XSETID", "K", "5-5")),
    "more than are kept": add(message(), "E-*", count=150),
    "renamed": run("RENAME", "K", "pushlab:elsewhere"),
    "deleted": run("DEL", "K"),
    "expired": run("PEXPIRE", "K", 1),
    "to expire": run("EXPIRE", "K", 1),
    "scripts forgotten": run("SCRIPT", "FLUSH"),
    "a message by hand": add(message(more="fields", **{"than": "usual"}), "E-N"),
    "a group of readers": run("XGROUP", "CREATE", "K", "group", "$"),
}
"""What may cost a reset or a gap, but nothing that the lab has acknowledged afterwards."""
each_act = pytest.mark.parametrize("act", (NO_MESSAGES | BROKEN).values(), ids=NO_MESSAGES | BROKEN)


class ListenerLog:
    """A listener that follows the events as a client does."""

    def __init__(self, place):
        self.place, self.bodies, self.kinds = place, [], []

    def __len__(self):
        return 1

    def notify(self, batch):
        """Each message must have the next number, behind a gap or a reset too."""
        for event in batch.events:
            fields = json.loads(event.json)
            self.kinds.append(event.kind)
            if event.kind == "reset":
                self.place, self.bodies = Cursor.parse(fields["id"]), []
            elif event.kind == "gap":
                self.place = Cursor(self.place.epoch, self.place.n + fields["missed"])
            else:
                self.place = Cursor(self.place.epoch, self.place.n + 1)
                assert fields["id"] == str(self.place)
                self.bodies.append(fields["body"])

    def send_bye(self, retry_ms):
        """Nothing to do."""


@asynccontextmanager
async def opened(server, name, before=0):
    """A room that is open for the length of the block, and in which so much has been sent."""
    room = Room(History(server.url, name))
    await room.open()
    try:
        for n in range(before):
            await stored(room, f"before {n}")
        yield room
    finally:
        await room.close()


def listening(room):
    """A listener in this room."""
    listener = ListenerLog(room.top)
    room.stream(listener, room.top)
    return listener


async def stored(room, body):
    """Send until it is stored, as a good sender does."""
    message, deadline = Draft(str(uuid4()), "ann", body), asyncio.get_running_loop().time() + DEADLINE_S
    while True:
        with suppress(HistoryUnavailable):
            return (await room.publish(message))[0]
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def receives(listener, bodies):
    """Wait until the last messages received are these."""

    async def probe():
        return listener.bodies[-len(bodies) :] == bodies

    await eventually(probe, f"the last of {listener.bodies[-5:]} are {bodies}")


def kept(room):
    """What a reader without a cursor gets."""
    return [json.loads(event.json)["body"] for event in room.ask(None).messages]


# In the room --------------------------------------------------------------------------------------


@each_act
@pytest.mark.parametrize("before", [0, 3])
async def test_nothing_in_the_stream_makes_a_room_deaf(redis_server, act, before, caplog):
    """Later sends are received once, in order, without holes, in this room and one opened later."""
    name, sent = uuid4().hex, [f"after {n}" for n in range(3)]
    async with opened(redis_server, name, before) as room:
        listener = listening(room)
        with suppress(ResponseError):  # a command that this history does not allow
            act(redis_server, room.history.key, room.top)
        for body in sent:
            await stored(room, body)
        await receives(listener, sent)
        async with opened(redis_server, name) as later:
            assert kept(later)[-3:] == kept(room)[-3:] == sent
        assert redis_server.client.xlen(room.history.key) <= KEPT
    assert {record.levelno for record in caplog.records} <= {logging.WARNING}


@pytest.mark.parametrize("act", NO_MESSAGES.values(), ids=NO_MESSAGES)
async def test_what_is_no_message_is_left_out_and_no_reader_notices(redis_server, act, caplog):
    """No reset, no gap, every id as it was; the log says once what was strange."""
    async with opened(redis_server, uuid4().hex, 3) as room:
        listener, epoch = listening(room), room.top.epoch
        act(redis_server, room.history.key, room.top)
        assert await stored(room, "after") == Cursor(epoch, 4)
        await receives(listener, ["after"])
        assert listener.kinds == ["message"]
    said = [record.getMessage() for record in caplog.records if "is not a message" in record.getMessage()]
    assert said and all(room.history.key in sentence for sentence in said)
    assert len(set(said)) == len(said)


@each_act
async def test_a_room_opens_on_anything_in_the_stream(redis_server, act):
    """A lab that starts on it goes on with the messages that are there, and with what is sent then."""
    name = uuid4().hex
    async with opened(redis_server, name, 3) as room:
        key, place = room.history.key, room.top
    with suppress(ResponseError):
        act(redis_server, key, place)
    async with opened(redis_server, name) as room:
        listener = listening(room)
        await stored(room, "after")
        await receives(listener, ["after"])
        assert set(kept(room)) <= {"before 0", "before 1", "before 2", "by hand", "after"}


@pytest.mark.parametrize("fields", [{"x": "y"}, message()], ids=["other fields", "a foreign id"])
async def test_a_stream_of_nothing_but_strange_entries_is_opened(redis_server, fields):
    """A key that another program has used as a stream is no obstacle."""
    name = uuid4().hex
    redis_server.client.xadd(f"pushlab:{name}", fields)
    async with opened(redis_server, name) as room:
        assert (room.top.n, kept(room)) == (0, [])
        assert (await stored(room, "first")).n == 1


async def test_two_labs_mend_one_history_once(redis_server):
    """Both see the strange entry; one takes it out, and both go on with the same ids."""
    name, sent = uuid4().hex, [f"after {n}" for n in range(4)]
    async with opened(redis_server, name, 2) as one, opened(redis_server, name) as two:
        listeners = [listening(room) for room in (one, two)]
        redis_server.client.xadd(one.history.key, {"a": "b"})
        for room, body in zip((one, two, one, two), sent, strict=True):
            await stored(room, body)
        for listener in listeners:
            await receives(listener, sent)
        assert [listener.kinds for listener in listeners] == [["message"] * 4] * 2


async def test_a_time_to_expire_ends_with_the_next_message(redis_server):
    """What a lab has acknowledged does not disappear because another program has set a time on the key."""
    async with opened(redis_server, uuid4().hex, 1) as room:
        redis_server.client.expire(room.history.key, 1000)
        await stored(room, "after")
        assert redis_server.client.ttl(room.history.key) == -1


# Keys of another type -----------------------------------------------------------------------------

OTHER_TYPES = {
    "string": ("SET", "K", "x"),
    "list": ("RPUSH", "K", "x"),
    "hash": ("HSET", "K", "a", "b"),
    "set": ("SADD", "K", "x"),
}
each_type = pytest.mark.parametrize("words", OTHER_TYPES.values(), ids=OTHER_TYPES)


@each_type
async def test_a_key_of_another_type_is_reported_and_heals(redis_server, words, caplog):
    """Sends are refused with the reason; when the key is gone a new history begins, and all is received."""
    async with opened(redis_server, uuid4().hex, 2) as room:
        listener = listening(room)
        with redis_server.client.pipeline() as transaction:
            transaction.delete(room.history.key)
            transaction.execute_command(*(room.history.key if mode == "K" else mode for mode in words))
            transaction.execute()
        with pytest.raises(HistoryUnavailable) as refused:
            await room.publish(Draft(str(uuid4()), "ann", "refused"))
        assert refused.value.stored is False and "Rename or delete" in str(refused.value)
        assert room.trouble == "key"
        redis_server.client.delete(room.history.key)
        await stored(room, "after")
        await receives(listener, ["after"])
        assert (listener.kinds, room.trouble) == (["reset", "message"], "")
    assert caplog.text.count("Rename or delete") == 1


@pytest.mark.parametrize("value", ["x", "5-5-5", "", "9" * 40 + "-1", "\uff11-\uff11"], ids=ascii)
async def test_a_mid_key_that_holds_anything_else_is_no_repetition(redis_server, value):
    """A key of a mid that no lab has written is written over, whatever its type."""
    async with opened(redis_server, uuid4().hex) as room:
        for n, put in enumerate((redis_server.client.set, redis_server.client.rpush)):
            mid, place = str(uuid4()), Cursor(room.top.epoch, n + 1)
            put(f"{room.history.key}:mid:{mid}", value)
            assert await room.publish(Draft(mid, "ann", "hi")) == (place, False)
            assert await room.publish(Draft(mid, "ann", "hi")) == (place, True)


# In a lab -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def visited(redis_server):
    """A lab into whose history another program writes: what listeners of every technique receive."""
    process = LabProcess(redis=redis_server.url, room="visited")
    yield process, asyncio.run(visit(process.port, redis_server))
    process.stop()


async def visit(port, server):
    """Listen and send by every technique, with strange entries between the messages."""
    listeners = {mode: await client(mode, port).connect(await top(port)) for mode in MODES}
    sent = []
    for mode in MODES:
        server.client.xadd("pushlab:visited", {"user": "bob", "body": "hi"})
        sent.append((await client(mode, port).send(f"by {mode}")).id)
    for listener in listeners.values():
        await listener.receive_until(sent[-1])
    return sent, listeners, await fetch(port, "GET", "/readyz")


@each_technique
def test_every_technique_receives_what_is_sent_after_strange_entries(mode, visited):
    """Every send is acknowledged and received, numbered without holes, with nothing else in between."""
    _, (sent, listeners, _) = visited
    events = listeners[mode].events
    assert [event["type"] for event in events] == ["message"] * len(MODES)
    assert [event["id"] for event in events] == sent
    assert [int(id_.split("-")[1]) for id_ in sent] == list(range(1, len(MODES) + 1))


def test_a_lab_with_strange_entries_is_ready_and_reports_them(visited):
    """`/readyz` is 200; the log has a sentence, not one for each entry, and no traceback."""
    process, (_, _, ready) = visited
    assert (ready.status, ready.json["reasons"]) == (200, [])
    said = process.stderr().splitlines()
    assert said and all("is not a message" in line for line in said)
    assert "Traceback" not in process.stderr()


@each_type
def test_a_lab_does_not_open_on_a_key_of_another_type(words, redis_server):
    """Exit 3, and one sentence that names the key and what to do; the key is as it was."""
    name = uuid4().hex
    redis_server.client.execute_command(*(f"pushlab:{name}" if mode == "K" else mode for mode in words))
    refused = LabProcess(redis=redis_server.url, room=name)
    assert (refused.wait(), refused.stderr()) == (3, "")
    refused.stop()
    assert f"pushlab:{name}" in refused.greeting["error"] and "Rename or delete" in refused.greeting["error"]
    assert redis_server.client.exists(f"pushlab:{name}")


async def answers(port, status):
    """Whether `/readyz` answers so."""
    return (await fetch(port, "GET", "/readyz")).status == status


async def test_a_wrong_key_makes_a_lab_unready_with_the_reason(redis_server, start_lab):
    """`/readyz` says 503 and why, sends 503 and not stored; both heal when the key is deleted."""
    process = start_lab(redis=redis_server.url, room="wronged")
    await publish(process.port, 1)
    redis_server.client.delete("pushlab:wronged")
    redis_server.client.set("pushlab:wronged", "x")
    await eventually(lambda: answers(process.port, 503), "the lab notices")
    ready = (await fetch(process.port, "GET", "/readyz")).json
    assert (ready["reasons"], len(ready["details"])) == (["history_unavailable"], 1)
    assert "Rename or delete" in ready["details"][0]
    body = json.dumps(draft()).encode()
    refused = await fetch(process.port, "POST", "/sse", {"Content-Type": "application/json"}, body)
    assert (refused.status, refused.json["stored"]) == (503, False)
    redis_server.client.delete("pushlab:wronged")
    await eventually(lambda: answers(process.port, 200), "the lab is ready again")
    assert len(await publish(process.port, 1)) == 1
