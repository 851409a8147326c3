"""What a listener receives whose place in the history is gone: a gap with its number, or a reset."""

import asyncio

import pytest

from tests.support.drafts import epoch, number
from tests.support.lab_process import LabProcess
from tests.support.lab_state import KEPT, here, history, is_in_room, publish, several
from tests.support.listeners import POLLING, STREAMING, client, each_technique
from tests.support.wire import eventually

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
