"""The room without HTTP: ask, wait, stream and publish, over a real and a simulated Redis."""

import asyncio
import json
import time
from uuid import uuid4

import pytest

from lab.room.messages import Batch, Cursor
from lab.room.presence import Presence
from tests.support.lab_state import KEPT
from tests.support.rooms import ListenerLog, bodies, cursors, draft, kinds, opened, reaches, say
from tests.support.wire import DEADLINE_S

REDIS = pytest.param("redis", marks=pytest.mark.needs("redis-server"))


@pytest.fixture(params=[REDIS, "simulated"])
def url(request):
    """Both kinds of Redis: every promise holds with either."""
    return request.getfixturevalue("redis_server").url if request.param == "redis" else "fake:"


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
