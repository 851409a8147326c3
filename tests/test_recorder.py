"""The tap: of each technique one listener is in the lane, and everything about that one is kept."""

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
        self.client, self.stream = "", SimpleNamespace(head=b"", socket=None, closed=lambda: True)

    def query(self, name):
        return ""


@pytest.fixture
def tap():
    """A tap that was made just now."""
    return Recorder()


@pytest.fixture
def start(tap):
    """The moment from which the tests count, on the tap's clock."""
    return tap.zero


def news(taken, count=1):
    """A batch of messages that the room took in at a moment."""
    events = [Event(b"{}", Cursor(1000, n + 1), accepted_at=taken) for n in range(count)]
    return Batch(tuple(events), CURSOR)


def begin(tap, mode, listener, now):
    """A listener asks."""
    request = Request(mode, listener)
    tap.began(request, now)
    return request


def test_a_held_request_is_a_bar_from_its_beginning_to_its_end(tap, start):
    """While it is open the lane says since when; afterwards it is a fact, in milliseconds."""
    request = begin(tap, "longpoll", "anna", start + 1)
    assert tap.open() == {"longpoll": 1000}
    tap.ended(request, start + 3.5)
    assert tap.open() == {}
    assert tap.since(0) == [{"lane": "longpoll", "from": 1000, "to": 3500, "empty": False}]


def test_an_empty_answer_is_a_fact_of_its_own(tap, start):
    """The request says that its answer carried nothing."""
    request = begin(tap, "shortpoll", "anna", start)
    request.empty = True
    tap.handed(request, Batch((), CURSOR), start, True)
    tap.ended(request, start)
    assert [fact["empty"] for fact in tap.since(0)] == [True]


def test_a_mark_names_its_messages_and_when_the_room_took_them(tap, start):
    """The distance between the two moments is the latency that a page draws."""
    request = begin(tap, "sse", "anna", start)
    tap.handed(request, news(start + 2), start + 2.25, True)
    assert tap.since(0) == [{"lane": "sse", "at": 2250, "messages": [["1000-1", 2000]], "more": 0}]


def test_old_messages_are_counted_but_have_no_latency(tap, start):
    """What a newcomer is told of the past says nothing about how quick the lane is."""
    request = begin(tap, "sse", "anna", start)
    tap.handed(request, news(start, count=3), start + 5, False)
    assert tap.since(0) == [{"lane": "sse", "at": 5000, "messages": [], "more": 3}]


def test_one_of_many_is_in_the_lane(tap, start):
    """The others are told that nobody looks at them, and cost nothing more."""
    requests = [begin(tap, "websocket", n, start) for n in range(100)]
    assert [request.in_lane for request in requests] == [True] + [False] * 99


def test_a_poller_keeps_its_lane_between_two_questions(tap, start):
    """Somebody else who asks in the meantime does not push in, and the poller's next question is shown."""
    tap.ended(begin(tap, "shortpoll", "anna", start), start)
    assert not begin(tap, "shortpoll", "ben", start + 0.5).in_lane
    assert begin(tap, "shortpoll", "anna", start + 1).in_lane


def test_a_poller_that_does_not_come_back_loses_its_lane(tap, start):
    """After the time of grace the next to ask is shown."""
    tap.ended(begin(tap, "shortpoll", "anna", start), start)
    assert begin(tap, "shortpoll", "ben", start + GRACE_S["ask"] + 0.1).in_lane


def test_who_asks_twice_in_the_meantime_takes_the_lane(tap, start):
    """However long the interval is: one round later a poller that has left is replaced."""
    tap.ended(begin(tap, "shortpoll", "anna", start), start)
    tap.ended(begin(tap, "shortpoll", "ben", start + 0.5), start + 0.5)
    assert not begin(tap, "shortpoll", "cleo", start + 1).in_lane
    assert begin(tap, "shortpoll", "ben", start + 1.5).in_lane


def test_a_stream_that_ends_gives_its_lane_to_one_that_is_open(tap, start):
    """Nobody has to come anew for the lane to go on."""
    anna, ben = begin(tap, "iframe", "anna", start - 9), begin(tap, "iframe", "ben", start - 8)
    tap.ended(anna, start - 7)
    tap.tend()
    assert ben.in_lane
    assert tap.open() == {"iframe": -8000}


def test_a_held_poll_is_waited_for_but_not_for_long(tap, start):
    """Between an answer and the next question the lane stays whose it is; then who waits already gets it."""
    anna, ben = begin(tap, "longpoll", "anna", start - 9), begin(tap, "longpoll", "ben", start - 9)
    tap.ended(anna, start)
    tap.tend()
    assert not ben.in_lane
    tap._lanes["longpoll"].left -= GRACE_S["wait"]  # as if a second had passed
    tap.tend()
    assert ben.in_lane


def test_leaving_in_any_order_leaves_nothing_behind(tap, start):
    """The tap holds on to nobody who has gone."""
    requests = [begin(tap, "iframe", n, start) for n in range(10)]
    for request in reversed(requests):
        tap.ended(request, start + 1)
    assert tap.open() == {}
    assert not any(lane.open for lane in tap._lanes.values())


def test_the_past_is_bounded(tap, start):
    """However long the lab runs, so many facts and no more are kept; a place finds what is behind it."""
    request = begin(tap, "sse", "anna", start)
    for _ in range(KEPT_FACTS + 10):
        tap.handed(request, news(start), start, True)
    assert tap.noted == KEPT_FACTS + 10
    assert len(tap.since(0)) == KEPT_FACTS
    assert len(tap.since(tap.noted - 3)) == 3
    assert tap.since(tap.noted) == []


def test_its_clock_is_the_event_loops(tap):
    """Moments of the room, of the endpoints and of the tap can be compared."""
    assert tap.now() == pytest.approx((time.monotonic() - tap.zero) * 1000, abs=50)
