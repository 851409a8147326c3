"""Changing the technique in mid-stream: one cursor serves all, nothing is lost or doubled on the way."""

import asyncio
from itertools import permutations

import pytest

from lab.catalogue import MODES
from tests.support.drafts import number
from tests.support.lab_state import here, publish
from tests.support.listeners import client

MESSAGES = 40


@pytest.mark.parametrize(("old", "new"), [*permutations(MODES, 2)])
@pytest.mark.parametrize("leaving", ["politely", "abruptly"])
async def test_a_listener_may_switch_in_mid_stream(old, new, leaving, lab):
    """One cursor, two techniques, messages pouring in: together they receive each message once, in order."""
    start = await here(lab.port)
    sending = asyncio.create_task(publish(lab.port, MESSAGES))
    first = await client(old, lab.port).connect(start)
    await first.receive_up_to(number(start) + 7)
    await first.leave() if leaving == "politely" else first.abort()
    second = await client(new, lab.port).connect(first.cursor)
    await second.receive_up_to(number(start) + MESSAGES)
    assert first.ids + second.ids == await sending
    assert set(first.kinds + second.kinds) == {"message"}


@pytest.mark.parametrize("mode", MODES)
async def test_two_techniques_may_listen_at_once(mode, lab):
    """A page that starts the new technique before it stops the old one receives everything on both."""
    start = await here(lab.port)
    listeners = [await client(both, lab.port).connect(start) for both in (mode, "sse")]
    ids = await publish(lab.port, 20)
    for listener in listeners:
        await listener.receive_until(ids[-1])
        assert listener.ids == ids


async def test_a_tour_through_all_is_one_conversation(lab):
    """Listening by each technique in turn, thrice around, with one cursor, is like listening by one."""
    cursor, received = await here(lab.port), []
    last = number(cursor) + 90
    sending = asyncio.create_task(publish(lab.port, 90))
    for mode in MODES * 3:
        listener = await client(mode, lab.port).connect(cursor)
        await listener.receive_up_to(min(number(cursor) + 5, last))
        listener.abort()
        cursor, received = listener.cursor, received + listener.ids
    rest = await client("sse", lab.port).connect(cursor)
    await rest.receive_up_to(last)
    assert received + rest.ids == await sending
