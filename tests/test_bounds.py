"""What a lab remembers is bounded, however many clients come: each list, ring and table by a number."""

import asyncio
import gc
import math
import weakref
from collections import deque
from types import SimpleNamespace
from uuid import uuid4

import pytest

from lab.errors import TooManySends
from lab.lanes import recorder, sends
from lab.lanes.recorder import Recorder
from lab.lanes.sends import Sends
from lab.meters import KEPT_SAMPLES, Durations
from lab.room.history import KEPT, Kept
from lab.room.messages import Batch, Cursor, Draft, Event
from lab.room.room import Room
from lab.server.live.own_requests import MOST_PAGES, OwnRequests
from lab.techniques import context
from lab.techniques.context import EveryAccount
from lab.techniques.send_rate import SendRate
from tests.faults.observed import containers

MANY = 3


def longest(owner):
    """The number of entries of the largest table of an object, its objects' tables included."""
    return max(containers(owner)[0].values())


def test_a_batch_is_freed_without_the_cycle_collector():
    """A batch that listeners have received is freed at once: each message makes some."""
    gc.disable()
    try:
        batch = Batch((Event(b"{}", Cursor(1, 1)),), Cursor(1, 1))
        assert batch.pieces == (batch,)
        alive = weakref.ref(batch)
        del batch
        assert alive() is None
    finally:
        gc.enable()


def test_send_rates_are_forgotten_when_they_are_full_again():
    """Ten names a second for an hour: only those whose bucket is not full yet have one."""
    rate = SendRate(10)
    for number in range(36_000):
        rate.take(f"name {number}", number / 10)
        assert rate.kept <= 101
    rate = SendRate(math.inf)
    for number in range(1000):
        rate.take(f"name {number}", 0.0)
    assert rate.kept == 0


def test_a_slow_rate_is_not_forgotten_among_many_names():
    """A bucket that takes ten seconds to fill refuses after three, however many others there are."""
    rate = SendRate(0.1)
    rate.take("ann", 0.0)
    for number in range(500):
        rate.take(f"name {number}", 1.0)
    with pytest.raises(TooManySends):
        rate.take("ann", 3.0)


def test_samples_are_bounded():
    """Percentiles are of the newest samples only; the count is of all."""
    durations = Durations()
    for _ in range(MANY * KEPT_SAMPLES // 500):
        durations.add([0.1] * 500)
        assert longest(durations) <= KEPT_SAMPLES
    assert durations.count > KEPT_SAMPLES


def test_sends_are_bounded():
    """The newest sends have their bytes, and some more their mids."""
    kept = Sends()
    for _ in range(MANY * sends.KNOWN_MIDS):
        kept.begin(mid := str(uuid4()))
        kept.add(mid, "sse")
    found = containers(kept)[0]
    assert (found["Sends._known"], found["Sends._kept"]) == (sends.KNOWN_MIDS, sends.KEPT_SENDS)


def test_requests_in_a_lane_are_bounded():
    """The newest requests of a lane have their bytes."""
    lanes = Recorder()
    for number in range(MANY * recorder.KEPT_WIRES):
        request = Request()
        lanes.began(request, float(number))
        lanes.ended(request, float(number))
    lane = lanes.lanes["shortpoll"]
    assert (len(lane.wires), len(lane.open)) == (recorder.KEPT_WIRES, 0)


class Request:
    """A poll of one listener, on a connection that is closed."""

    mode, listener, client, empty, in_lane = "shortpoll", "ann", "ann", True, False
    stream = SimpleNamespace(consumed=0, bytes_in=0, bytes_out=0, head=b"", socket=None, closed=lambda: True)


class Skipping:
    """A history that shows its newest messages only when all of a burst have been stored."""

    def __init__(self, burst):
        self.burst, self.stored, self.full = burst, 0, asyncio.Event()
        self.events = deque(maxlen=KEPT)

    async def publish(self, message, known):
        """Store one."""
        self.stored += 1
        self.events.append(Event(b"{}", Cursor(1, self.stored), "message", message.mid))
        if self.stored == self.burst:
            self.full.set()
        return Cursor(1, self.stored), False

    async def read(self, epoch, n=0):
        """What is kept."""
        return Kept(Cursor(1, self.stored), list(self.events))

    async def follow(self, top):
        """Wait for the whole burst."""
        await self.full.wait()
        self.full.clear()
        return list(self.events)

    async def refusal(self):
        """It stores everything."""
        return ""

    async def close(self):
        """Nothing is open."""


async def test_no_time_is_kept_of_a_message_that_the_room_has_not_read():
    """More messages at once than the history keeps: of the first ones nothing remains either."""
    room = Room(Skipping(KEPT + 50))
    await room.open()
    drafts = (Draft(str(uuid4()), "ann", "hello") for _ in range(KEPT + 50))
    await asyncio.gather(*(room.publish(each) for each in drafts))
    assert room.counts()["accepted_at"] == 0
    await room.close()


def test_accounts_are_bounded(monkeypatch):
    """One of several labs counts no more clients than it can keep, and none without an id."""
    monkeypatch.setattr(context, "MOST_ACCOUNTS", 10)
    accounts = EveryAccount()
    found = [accounts.get((name, "sse")) for name in ("", *map(str, range(MANY * 10)))]
    assert len(accounts) == 10 == sum(account is not None for account in found)


def test_pages_that_see_their_own_requests_are_bounded():
    """A page more than are followed at a time is not; one that leaves makes place."""
    lesson = SimpleNamespace(context=SimpleNamespace(recorder=Recorder()), handlers={}, on_close=[])
    follower, pages = OwnRequests(lesson), [Page() for _ in range(MOST_PAGES + 1)]
    for page in pages:
        follower.follow(page, {"as": str(uuid4())})
    assert len(lesson.context.recorder.followed) == MOST_PAGES
    follower.forget(pages[0])
    assert len(lesson.context.recorder.followed) == MOST_PAGES - 1


class Page:
    """A page that takes what it is sent."""

    def send(self, message):
        """Take it."""
        return True
