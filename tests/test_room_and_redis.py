"""The room when Redis loses its history, another has been put back, or it does not answer."""

import asyncio
import json
import time
from uuid import uuid4

import pytest

from lab.errors import HistoryUnavailable
from lab.room.messages import Batch, Cursor
from tests.support.lab_state import KEPT
from tests.support.redis_server import RedisServer
from tests.support.rooms import ListenerLog, bodies, cursors, draft, kinds, opened, reaches, say
from tests.support.wire import DEADLINE_S, eventually


@pytest.fixture
def victim():
    """A Redis that may be killed: it keeps a log, and knows its history when it comes back."""
    server = RedisServer(log=True)
    yield server
    server.stop()


@pytest.mark.needs("redis-server")
async def test_the_stream_has_exactly_100_entries(redis_server):
    """In Redis itself the history has 100 entries after every further message, never 101."""
    async with opened(redis_server.url) as room:
        await say(room, KEPT)
        for _ in range(5):
            await room.publish(draft())
            assert redis_server.client.xlen(room.history.key) == KEPT


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("command", ["DEL", "FLUSHALL"])
async def test_a_lost_history_is_a_reset(redis_server, command):
    """When the stream is gone, a waiter and a listener get a reset within moments, into a later epoch."""
    async with opened(redis_server.url) as room:
        said, listener = await say(room, 3), ListenerLog()
        future = room.wait(room.top)
        room.stream(listener, room.top)
        redis_server.client.execute_command(command, *([room.history.key] if command == "DEL" else []))
        batch = await asyncio.wait_for(future, DEADLINE_S)
        assert kinds(batch) == ["reset"] == [event.kind for event in listener.events]
        assert batch.cursor.epoch > said[0].epoch


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize(
    ("length", "restarted"),
    [(3, True), (5, True), (8, True), (3, False), (5, False), (8, False)],
    ids=["shorter", "as long", "longer", "shorter in place", "as long in place", "longer in place"],
)
async def test_an_id_never_has_two_contents(redis_server, length, restarted):
    """An older copy put back, with other messages under known ids: reset, and no id has two contents."""
    async with opened(redis_server.url) as room:
        said, listener = await say(room, 5), ListenerLog()
        seen = contents(room.ask(None))
        room.stream(listener, room.top)
        put_back(redis_server.client, room.history.key, said[0].epoch, length, restarted)
        await receives(listener, "reset")
        seen |= contents(Batch(tuple(listener.events), room.top)) | contents(room.ask(None))
        assert len({cursor for cursor, _ in seen}) == len(seen)


def contents(batch):
    """What each message of a batch is, under its cursor."""
    return {(event.cursor, event.json) for event in batch.messages}


def put_back(client, key, epoch, length, restarted):
    """Give the stream other entries under the same ids in one go, as if an old copy had been restored."""
    with client.pipeline() as transaction:
        transaction.delete(key)
        for n in range(1, length + 1):
            entry = {"mid": str(uuid4()), "username": "eve", "body": f"another {n}", "time": "1.0"}
            transaction.xadd(key, entry, f"{epoch}-{n}", maxlen=KEPT, approximate=False)
        if restarted:
            transaction.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        transaction.execute()


async def receives(listener, kind):
    """Wait until the listener has received an event of this kind."""

    async def probe():
        return kind in [event.kind for event in listener.events]

    await eventually(probe, f"a {kind}")


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "in place"])
async def test_a_message_sent_right_after_a_rollback_gets_no_known_id(redis_server, restarted):
    """A history that fell back is not continued: no sender is given an id that others know otherwise."""
    async with opened(redis_server.url) as room:
        said = await say(room, 5)
        put_back(redis_server.client, room.history.key, said[0].epoch, 3, restarted)
        cursor = await until_stored(room, draft("after the rollback"))
        assert cursor.epoch > said[0].epoch
        await reaches(room, cursor)
        assert bodies(room.ask(None)) == ["another 1", "another 2", "another 3", "after the rollback"]


@pytest.mark.needs("redis-server")
async def test_a_history_that_is_older_still_is_not_continued_either(redis_server):
    """The history before the last one is put back: what is sent then starts a history later than both."""
    async with opened(redis_server.url) as room:
        said = await say(room, 2)
        put_back(redis_server.client, room.history.key, said[0].epoch - 1000, 7, restarted=False)
        assert (await until_stored(room, draft())).epoch > said[0].epoch


@pytest.mark.needs("redis-server")
async def test_a_reader_from_a_process_that_is_ahead_is_not_reset(redis_server):
    """A cursor that only another process knows yet is looked up in Redis before it is called foreign."""
    async with opened(redis_server.url) as room:
        (said,) = await say(room, 1)
        entry = {"mid": str(uuid4()), "username": "bob", "body": "elsewhere", "time": "1.0"}
        redis_server.client.xadd(room.history.key, entry, f"{said.epoch}-2")
        ahead = Cursor(said.epoch, 2)
        assert kinds(room.ask(ahead))[0] == "reset"  # this process has had no turn yet to read it
        await room.catch_up(ahead)
        assert room.ask(ahead) == Batch((), ahead)


@pytest.mark.needs("redis-server")
async def test_a_frozen_redis_leaves_one_copy(redis_server):
    """Redis hangs: the sender gets "unknown" in seconds, repeats the mid, and is stored once."""
    async with opened(redis_server.url) as room:
        await say(room, 1)
        message, began = draft("exactly once"), time.monotonic()
        redis_server.freeze()
        try:
            with pytest.raises(HistoryUnavailable) as refused:
                await room.publish(message)
        finally:
            redis_server.thaw()
        assert (refused.value.stored, time.monotonic() - began < 5) == ("unknown", True)
        cursor = await until_stored(room, message)
        await reaches(room, cursor)
        stored = redis_server.client.xrange(room.history.key)
        assert [fields[b"mid"].decode() for _, fields in stored].count(message.mid) == 1


async def until_stored(room, message):
    """Repeat a message until there is a definite answer, as a good sender does."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return (await room.publish(message))[0]
        except HistoryUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


@pytest.mark.needs("redis-server")
async def test_a_dead_redis_is_reported_at_once(victim):
    """Redis is gone: a send is refused without waiting, with the certainty that it is not stored."""
    async with opened(victim.url) as room:
        await say(room, 1)
        victim.kill()
        await is_unreachable(room)
        began = time.monotonic()
        with pytest.raises(HistoryUnavailable) as refused:
            await room.publish(draft())
        assert (refused.value.stored, time.monotonic() - began < 0.5) == (False, True)


async def is_unreachable(room):
    """Wait until the room has noticed that Redis is gone."""

    async def probe():
        return not room.reachable

    await eventually(probe, "the room notices that Redis is gone")


@pytest.mark.needs("redis-server")
async def test_readers_wait_through_an_outage(victim):
    """Redis is killed and comes back with its log: readers receive the next message, and nothing else."""
    async with opened(victim.url) as room:
        said, listener = await say(room, 3), ListenerLog()
        future = room.wait(room.top)
        room.stream(listener, room.top)
        victim.kill()
        await is_unreachable(room)
        assert (future.done(), cursors(room.ask(None))) == (False, said)
        victim.start()
        cursor = await until_stored(room, draft("back again"))
        assert cursors(await asyncio.wait_for(future, DEADLINE_S)) == [cursor]
        assert [event.kind for event in listener.events] == ["message"]


@pytest.mark.needs("redis-server")
async def test_a_redis_that_lost_its_memory_resets_its_readers(redis_server):
    """Redis is killed and comes back empty: readers get one reset, into a later epoch, then what follows."""
    async with opened(redis_server.url) as room:
        said, listener = await say(room, 3), ListenerLog()
        room.stream(listener, room.top)
        redis_server.kill()
        await is_unreachable(room)
        redis_server.start()
        cursor = await until_stored(room, draft("a new beginning"))
        await reaches(room, cursor)
        assert [event.kind for event in listener.events] == ["reset", "message"]
        assert cursor.epoch > said[0].epoch


@pytest.mark.needs("redis-server")
async def test_a_tail_that_is_cut_off_catches_up(redis_server):
    """Only the connection that follows the history breaks: what was sent meanwhile is received once."""
    async with opened(redis_server.url) as room:
        listener = ListenerLog()
        room.stream(listener, room.top)
        for _ in range(3):
            await say(room, 1)
            redis_server.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await until_stored(room, draft())
        await reaches(room, Cursor(room.top.epoch, 6))
        assert [event.cursor.n for event in listener.events] == [1, 2, 3, 4, 5, 6]


@pytest.mark.needs("redis-server")
async def test_a_reader_far_behind_after_an_outage_gets_the_gap(victim):
    """While one process is cut off another stores 150 messages: 50 were missed, then come the kept 100."""
    name = uuid4().hex
    async with opened(victim.url, name) as room:
        listener = ListenerLog()
        room.stream(listener, room.top)
        later = cut_off(victim.client, room.history.key, room.top.epoch, 150)
        await reaches(room, later)
        assert [event.kind for event in listener.events] == ["gap"] + ["message"] * KEPT
        assert json.loads(listener.events[0].json)["missed"] == 50
        assert listener.events[1].json.endswith(b'"time":1}')  # as JavaScript writes it, to the byte


def cut_off(client, key, epoch, count):
    """Store messages in one go, with every other connection broken; returns the last cursor."""
    with client.pipeline() as transaction:
        transaction.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for n in range(1, count + 1):
            entry = {"mid": str(uuid4()), "username": "bob", "body": str(n), "time": "1.0"}
            transaction.xadd(key, entry, f"{epoch}-{n}", maxlen=KEPT, approximate=False)
        transaction.execute()
    return Cursor(epoch, count)
