"""The room without HTTP: ask, wait, stream, publish, over a real and a simulated Redis, and Redis' faults."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from lab.errors import HistoryUnavailable
from lab.room.history import History
from lab.room.messages import Batch, Cursor, Draft
from lab.room.presence import Presence
from lab.room.room import Room
from tests.support.redis_server import RedisServer
from tests.support.wire import DEADLINE_S, eventually

KEPT = 100
REDIS = pytest.param("redis", marks=pytest.mark.needs("redis-server"))


@pytest.fixture(params=[REDIS, "simulated"])
def url(request):
    """Both kinds of Redis: every promise holds with either."""
    return request.getfixturevalue("redis_server").url if request.param == "redis" else "fake:"


@pytest.fixture
def victim():
    """A Redis that may be killed: it keeps a log, and knows its history when it comes back."""
    server = RedisServer(log=True)
    yield server
    server.stop()


@asynccontextmanager
async def opened(url, name=None):
    """A room that is open for the length of the block."""
    room = Room(History(url, name or uuid4().hex))
    await room.open()
    try:
        yield room
    finally:
        async with asyncio.timeout(DEADLINE_S):
            await room.close()


def draft(body="hello", mid=None):
    """A message to store."""
    return Draft(mid or str(uuid4()), "ann", body)


async def say(room, count):
    """Store so many messages, wait until the room has them all, and return their cursors."""
    cursors = [(await room.publish(draft(f"message {place}")))[0] for place in range(count)]
    await reaches(room, cursors[-1])
    return cursors


async def reaches(room, cursor):
    """Wait until the room has this message."""

    async def probe():
        return room.top >= cursor

    await eventually(probe, f"the room reaches {cursor}")


def kinds(batch):
    """The kinds of events in a batch."""
    return [event.kind for event in batch.events]


def cursors(batch):
    """The cursors of the messages in a batch."""
    return [event.cursor for event in batch.messages]


def bodies(batch):
    """What the messages in a batch say."""
    return [json.loads(event.json)["body"] for event in batch.messages]


class ListenerLog:
    """A listener that keeps what it receives."""

    def __init__(self):
        self.batches = []
        self.goodbye = None

    def __len__(self):
        return 1

    def notify(self, batch):
        """Keep it."""
        self.batches.append(batch)

    def send_bye(self, retry_ms):
        """Keep when to come back."""
        self.goodbye = retry_ms

    @property
    def events(self):
        """Everything received, in order."""
        return [event for batch in self.batches for event in batch.events]


# Ask ----------------------------------------------------------------------------------------------


async def test_an_empty_room_has_a_cursor(url):
    """A room without messages answers with no events and the place before the first message."""
    async with opened(url) as room:
        batch = room.ask(None)
        assert (batch.events, batch.cursor.n) == ((), 0)
        assert abs(batch.cursor.epoch / 1000 - time.time()) < 60
        assert room.ask(batch.cursor).events == ()


async def test_messages_are_numbered_without_holes(url):
    """The first message is 1, and each further one has the next number, in the same epoch."""
    async with opened(url) as room:
        epoch = room.top.epoch
        assert await say(room, 5) == [Cursor(epoch, n) for n in range(1, 6)]


async def test_asking_brings_what_is_after_the_cursor(url):
    """Asked with a cursor, the room answers with the later messages; without one, with everything kept."""
    async with opened(url) as room:
        start, said = room.top, await say(room, 4)
        assert cursors(room.ask(None)) == cursors(room.ask(start)) == said
        assert cursors(room.ask(said[1])) == said[2:]
        assert room.ask(said[-1]) == Batch((), said[-1])


async def test_readers_at_one_place_share_a_batch(url):
    """Until there is news, all who ask from one place get one batch; cursors from nowhere are not kept."""
    async with opened(url) as room:
        start, said = room.top, await say(room, 1)
        assert room.ask(start) is room.ask(start)
        assert room.ask(None) is room.ask(None)
        said += await say(room, 1)
        assert cursors(room.ask(start)) == cursors(room.ask(None)) == said
        strangers = [Cursor(1, n) for n in range(100)]
        kept = [room.ask(stranger) is room.ask(stranger) for stranger in strangers]
        assert sum(kept) < 20


async def test_a_room_keeps_exactly_100(url):
    """After 105 messages the newest 100 are kept, in the room and in a room that is opened later."""
    name = uuid4().hex
    async with opened(url, name) as room, opened(url, name) as other:
        said = await say(room, 105)
        await reaches(other, said[-1])
        async with opened(url, name) as later:
            for each in (room, other, later):
                assert cursors(each.ask(None)) == said[-KEPT:]


async def test_a_gap_counts_the_missed_messages(url):
    """A client more than 100 behind gets the number of messages no longer kept, and then all the others."""
    async with opened(url) as room:
        start, said = room.top, await say(room, 105)
        for after, missed in ((start, 5), (said[3], 1), (said[4], 0)):
            batch = room.ask(after)
            assert kinds(batch) == ["gap"] * bool(missed) + ["message"] * KEPT
            assert not missed or json.loads(batch.events[0].json) == {"type": "gap", "missed": missed}


@pytest.mark.parametrize("place", [(-1, 5), (0, 4), (1, 0)], ids=["older epoch", "future", "newer epoch"])
async def test_a_foreign_cursor_is_reset(url, place):
    """A cursor that this history never gave out is reset to before everything kept."""
    async with opened(url) as room:
        said = await say(room, 3)
        epochs, n = place
        batch = room.ask(Cursor(room.top.epoch + epochs, n))
        assert kinds(batch) == ["reset"] + ["message"] * 3
        assert cursors(room.ask(batch.events[0].cursor)) == said


async def test_two_rooms_on_one_history_agree(url):
    """Two processes with one Redis have the same messages, with the same ids, in the same order."""
    name = uuid4().hex
    async with opened(url, name) as one, opened(url, name) as two:
        await asyncio.gather(*(room.publish(draft()) for room in (one, two) * 10))
        for room in (one, two):
            await reaches(room, Cursor(room.top.epoch, 20))
        assert [e.json for e in one.ask(None).events] == [e.json for e in two.ask(None).events]


async def test_a_history_outlives_its_room(url):
    """Closed and opened again, a room goes on in the same epoch with what was kept."""
    name = uuid4().hex
    async with opened(url, name) as room:
        said = await say(room, 3)
    async with opened(url, name) as room:
        assert cursors(room.ask(None)) == said
        assert (await room.publish(draft()))[0] == Cursor(said[0].epoch, 4)


# Wait ---------------------------------------------------------------------------------------------


async def test_waiting_ends_at_once_when_there_is_news(url):
    """A wait with an old cursor returns at once."""
    async with opened(url) as room:
        start, said = room.top, await say(room, 2)
        assert cursors(await room.wait(start)) == said
        assert room.readers == 0


async def test_waiting_ends_with_the_next_message(url):
    """A wait at the end of the history ends with the next message, and the waiter is removed."""
    async with opened(url) as room:
        future = room.wait(room.top)
        assert (future.done(), room.readers) == (False, 1)
        said = await say(room, 1)
        assert cursors(await future) == said
        assert room.readers == 0


async def test_a_cancelled_wait_leaves_no_reader(url):
    """A thousand cancelled waits leave no waiter behind."""
    async with opened(url) as room:
        futures = [room.wait(room.top) for _ in range(1000)]
        assert room.readers == 1000
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)
        assert room.readers == 0
        await say(room, 1)


async def test_waiters_at_one_cursor_share_one_batch(url):
    """A message is put into bytes once, however many wait for it."""
    async with opened(url) as room:
        futures = [room.wait(room.top) for _ in range(10)]
        listeners = [ListenerLog() for _ in range(10)]
        for listener in listeners:
            room.stream(listener, room.top)
        await say(room, 1)
        batches = {id(await future) for future in futures} | {
            id(listener.batches[0]) for listener in listeners
        }
        assert len(batches) == 1


async def test_nothing_slips_between_asking_and_waiting(url):
    """A reader that asks, waits and asks again during sends receives each message once, in order."""
    async with opened(url) as room:
        received, place = [], room.top
        publishing = asyncio.gather(*(room.publish(draft()) for _ in range(90)))
        while len(received) < 90:
            batch = await asyncio.wait_for(room.wait(place), DEADLINE_S)
            received, place = received + cursors(batch), batch.cursor
        said = sorted(cursor for cursor, _ in await publishing)
        assert received == said


# Stream -------------------------------------------------------------------------------------------


async def test_a_stream_brings_the_old_and_then_the_new(url):
    """A listener gets what is after its cursor at once, and each later message until it leaves."""
    async with opened(url) as room:
        said, listener = await say(room, 3), ListenerLog()
        assert cursors(room.stream(listener, said[0])) == said[1:]
        later = await say(room, 2)
        room.leave(listener)
        await say(room, 1)
        assert [event.cursor for event in listener.events] == later
        assert room.readers == 0


async def test_leaving_twice_is_harmless(url):
    """A listener may leave again, or without having come."""
    async with opened(url) as room:
        room.leave(ListenerLog())
        assert room.readers == 0


async def test_every_reader_gets_a_bye(url):
    """When the server closes, waiters get a bye with a time to reconnect, listeners its bounds."""
    async with opened(url) as room:
        listener, future = ListenerLog(), room.wait(room.top)
        room.stream(listener, room.top)
        room.send_bye((1000, 5000))
        (event,) = (await future).events
        least, most = listener.goodbye
        assert event.kind == "bye"
        assert 0 < least <= json.loads(event.json)["retry_ms"] <= most <= 10_000


# Publish ------------------------------------------------------------------------------------------


async def test_an_acknowledged_message_is_in_the_room(url):
    """A message that was acknowledged is in the room at once, for every later request."""
    async with opened(url) as room:
        for _ in range(50):
            cursor, _ = await room.publish(draft())
            assert room.top == cursor and room.ask(None).messages[-1].cursor == cursor


async def test_one_mid_is_one_message_even_at_once(url):
    """Twenty publishers with one mid at the same moment store one message, and all learn its id."""
    async with opened(url) as room:
        same = draft("once")
        answers = await asyncio.gather(*(room.publish(same) for _ in range(20)))
        await reaches(room, answers[0][0])
        assert {cursor for cursor, _ in answers} == {room.top}
        assert sorted(duplicate for _, duplicate in answers) == [False] + [True] * 19
        assert bodies(room.ask(None)) == ["once"]


async def test_a_repeated_mid_gets_the_first_id_whatever_its_text(url):
    """The mid decides: another text under the same mid is not stored."""
    async with opened(url) as room:
        mid = str(uuid4())
        first, _ = await room.publish(draft("first", mid))
        assert await room.publish(draft("second", mid)) == (first, True)
        await reaches(room, first)
        assert bodies(room.ask(None)) == ["first"]


async def test_a_mid_is_forgotten_with_the_room(url):
    """A room that is forgotten leaves no key, so its mids may be used again."""
    name, mid = uuid4().hex, str(uuid4())
    async with opened(url, name) as room:
        await room.publish(draft("one", mid))
        await room.history.forget()
    async with opened(url, name) as room:
        assert (await room.publish(draft("two", mid)))[1] is False


# Closing ------------------------------------------------------------------------------------------


async def test_a_room_closes_at_any_moment(url):
    """Whatever the room is just doing with Redis, closing it ends within a moment."""
    for steps in range(60):
        async with opened(url) as room:
            futures = [room.publish(draft()) for _ in range(steps % 3)]
            await asyncio.gather(*futures)
            for _ in range(steps):
                await asyncio.sleep(0)
            if steps % 2:
                await room.history.forget()


# Redis' faults ------------------------------------------------------------------------------------


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


# Presence -----------------------------------------------------------------------------------------


def test_a_client_with_an_open_request_is_here():
    """A listener is here while one of its requests is open, under the last name it gave."""
    presence = Presence()
    presence.enter("1", "ann", "sse", now=0)
    presence.enter("1", "anna", "sse", now=1)
    presence.leave("1", now=2)
    assert presence.here(now=1000) == [{"client": "1", "username": "anna", "mode": "sse"}]


def test_a_client_that_reconnects_soon_was_never_away():
    """A listener who polls is here between two polls, and gone a few seconds after the last one."""
    presence = Presence()
    presence.enter("1", "ann", "shortpoll", now=0)
    presence.leave("1", now=0.1)
    assert len(presence.here(now=2)) == 1
    assert presence.here(now=60) == []
