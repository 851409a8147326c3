"""The recorder: of each technique one listener is in the lane, and everything about it is kept."""

import time
from types import SimpleNamespace

import pytest

from lab.lanes.recorder import GRACE_S, KEPT_FACTS, Recorder
from lab.room.messages import Batch, Cursor, Event

CURSOR = Cursor(1000, 7)


class Request:
    """A receive request as an endpoint would report it."""

    def __init__(self, mode, listener):
        self.mode, self.listener = mode, listener
        self.in_lane = self.empty = False
        stream = SimpleNamespace(head=b"", socket=None, closed=lambda: True)
        stream.consumed = stream.bytes_in = stream.bytes_out = 0
        self.client, self.stream = "", stream

    def query(self, name):
        return ""


@pytest.fixture
def recorder():
    """A recorder that was made just now."""
    return Recorder()


@pytest.fixture
def start(recorder):
    """The moment from which the tests count, on the recorder's clock."""
    return recorder.zero


def news(taken, count=1):
    """A batch of messages that the room took in at a moment."""
    events = [Event(b"{}", Cursor(1000, n + 1), accepted_at=taken) for n in range(count)]
    return Batch(tuple(events), CURSOR)


def begin(recorder, mode, listener, now):
    """A listener asks."""
    request = Request(mode, listener)
    recorder.began(request, now)
    return request


def test_a_held_request_is_a_bar_from_its_beginning_to_its_end(recorder, start):
    """While it is open the lane says since when; afterwards it is a fact, in milliseconds."""
    request = begin(recorder, "longpoll", "anna", start + 1)
    assert recorder.open() == {"longpoll": 1000}
    recorder.ended(request, start + 3.5)
    assert recorder.open() == {}
    assert recorder.since(0) == [{"lane": "longpoll", "from": 1000, "to": 3500, "empty": False}]


def test_an_empty_answer_is_a_fact_of_its_own(recorder, start):
    """The request says that its answer carried nothing."""
    request = begin(recorder, "shortpoll", "anna", start)
    request.empty = True
    recorder.handed(request, Batch((), CURSOR), start, True)
    recorder.ended(request, start)
    assert [fact["empty"] for fact in recorder.since(0)] == [True]


def test_a_mark_names_its_messages_and_when_the_room_took_them(recorder, start):
    """The distance between the two moments is the latency that a page draws."""
    request = begin(recorder, "sse", "anna", start)
    recorder.handed(request, news(start + 2), start + 2.25, True)
    assert recorder.since(0) == [{"lane": "sse", "at": 2250, "messages": [["1000-1", 2000]], "more": 0}]


def test_old_messages_are_counted_but_have_no_latency(recorder, start):
    """Old messages to a new listener say nothing about how quick the lane is."""
    request = begin(recorder, "sse", "anna", start)
    recorder.handed(request, news(start, count=3), start + 5, False)
    assert recorder.since(0) == [{"lane": "sse", "at": 5000, "messages": [], "more": 3}]


def test_one_of_many_is_in_the_lane(recorder, start):
    """The others are marked as not in the lane, and cost nothing more."""
    requests = [begin(recorder, "websocket", n, start) for n in range(100)]
    assert [request.in_lane for request in requests] == [True] + [False] * 99


def test_a_poller_keeps_its_lane_between_two_questions(recorder, start):
    """Another client that asks in the meantime does not replace it, and its next request is shown."""
    recorder.ended(begin(recorder, "shortpoll", "anna", start), start)
    assert not begin(recorder, "shortpoll", "ben", start + 0.5).in_lane
    assert begin(recorder, "shortpoll", "anna", start + 1).in_lane


def test_a_poller_that_does_not_come_back_loses_its_lane(recorder, start):
    """After the time of grace the next to ask is shown."""
    recorder.ended(begin(recorder, "shortpoll", "anna", start), start)
    assert begin(recorder, "shortpoll", "ben", start + GRACE_S["ask"] + 0.1).in_lane


def test_a_client_that_asks_twice_in_the_meantime_takes_the_lane(recorder, start):
    """However long the interval is: one round later a poller that has left is replaced."""
    recorder.ended(begin(recorder, "shortpoll", "anna", start), start)
    recorder.ended(begin(recorder, "shortpoll", "ben", start + 0.5), start + 0.5)
    assert not begin(recorder, "shortpoll", "cleo", start + 1).in_lane
    assert begin(recorder, "shortpoll", "ben", start + 1.5).in_lane


def test_a_stream_that_ends_gives_its_lane_to_one_that_is_open(recorder, start):
    """The lane goes on without a new request."""
    anna, ben = begin(recorder, "iframe", "anna", start - 9), begin(recorder, "iframe", "ben", start - 8)
    recorder.ended(anna, start - 7)
    recorder.tend()
    assert ben.in_lane
    assert recorder.open() == {"iframe": -8000}


def test_a_poller_keeps_its_lane_only_for_a_short_wait(recorder, start):
    """Between two requests the lane keeps its client; afterwards a waiting client gets it."""
    anna, ben = begin(recorder, "longpoll", "anna", start - 9), begin(recorder, "longpoll", "ben", start - 9)
    recorder.ended(anna, start)
    recorder.tend()
    assert not ben.in_lane
    recorder.lanes["longpoll"].left -= GRACE_S["wait"]  # as if a second had passed
    recorder.tend()
    assert ben.in_lane


def test_leaving_in_any_order_leaves_nothing_behind(recorder, start):
    """The recorder keeps nothing about a client that has gone."""
    requests = [begin(recorder, "iframe", n, start) for n in range(10)]
    for request in reversed(requests):
        recorder.ended(request, start + 1)
    assert recorder.open() == {}
    assert not any(lane.open for lane in recorder.lanes.values())


def test_the_past_is_bounded(recorder, start):
    """However long the lab runs, so many facts and no more are kept; a place finds what is behind it."""
    request = begin(recorder, "sse", "anna", start)
    for _ in range(KEPT_FACTS + 10):
        recorder.handed(request, news(start), start, True)
    assert recorder.noted == KEPT_FACTS + 10
    assert len(recorder.since(0)) == KEPT_FACTS
    assert len(recorder.since(recorder.noted - 3)) == 3
    assert recorder.since(recorder.noted) == []


def test_its_clock_is_the_event_loops(recorder):
    """Moments of the room, of the endpoints and of the recorder can be compared."""
    assert recorder.now() == pytest.approx((time.monotonic() - recorder.zero) * 1000, abs=50)
