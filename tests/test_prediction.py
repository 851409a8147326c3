"""Predictions: the closed forms against a small event simulation, and one measured exchange."""

import random
from bisect import bisect_right
from functools import cache

import pytest

import lab
from lab.catalogue import MODES
from lab.errors import BadParameter
from lab.experiment.calibration import FEW
from lab.experiment.conditions import Conditions
from lab.experiment.prediction import ZERO_COST, Exchange, ideal, predict_run
from lab.experiment.timetable import timetable

MESSAGES = 60_000


class Simulated:
    """One listener against a list of message times: the requests it makes and the delays it sees."""

    def __init__(self, times):
        self.times = times
        self.requests = self.empty = self.received = 0
        self.delays = []

    def answer(self, now, one_way):
        """A poll is answered with everything that has come."""
        self.requests += 1
        upto = bisect_right(self.times, now, self.received)
        self.empty += upto == self.received
        self.delays += [now - moment + one_way for moment in self.times[self.received : upto]]
        self.received = upto

    def ideal(self):
        """The same four figures as the closed form gives."""
        seconds = self.times[-1]
        mean = sum(self.delays) / len(self.delays)
        longest = max(self.delays[100:])  # those sent before the first poll waited for it to begin
        return self.requests / seconds, self.empty / self.requests, mean, longest


@cache
def moments(rate, arrivals):
    """Many message times."""
    draw = random.Random(7)
    now, times = 0.0, []
    for _ in range(MESSAGES):
        now += draw.expovariate(rate) if arrivals == "poisson" else 1 / rate
        times.append(now)
    return times


def simulate(mode, conditions):
    """Play a poller event by event: ask, be answered or held, come back."""
    one = Simulated(moments(conditions.rate, conditions.arrivals))
    one_way, trips = conditions.rtt / 2, 1 if conditions.keep_alive else 2
    now = 0.1234  # the poller's phase has nothing to do with the messages'
    while one.received < MESSAGES:
        if mode == "longpoll" and one.times[one.received] > now:
            now = min(one.times[one.received], now + conditions.hold)
        one.answer(now, one_way)
        now += trips * conditions.rtt + (conditions.interval if mode == "shortpoll" else 0)
    return one.ideal()


GRID = [
    {"mode": mode, "rate": rate, "rtt": rtt, "arrivals": "poisson"}
    for mode in ("shortpoll", "longpoll")
    for rate in (0.7, 4, 20)
    for rtt in (0.02, 0.1, 0.3)
]
MORE = [
    {"mode": "longpoll", "rate": 0.5, "rtt": 0.1, "hold": 1.0},
    {"mode": "longpoll", "rate": 4, "rtt": 0.1, "keep_alive": False},
    {"mode": "shortpoll", "rate": 2, "rtt": 0.1, "interval": 0.5, "keep_alive": False},
    {"mode": "longpoll", "rate": 4, "rtt": 0.1, "arrivals": "periodic"},
    {"mode": "longpoll", "rate": 4, "rtt": 0.249, "arrivals": "periodic"},
    {"mode": "longpoll", "rate": 40, "rtt": 0.0999, "arrivals": "periodic"},
    {"mode": "shortpoll", "rate": 3, "rtt": 0.0333, "interval": 0.2, "arrivals": "periodic"},
]


@pytest.mark.parametrize("grid", GRID + MORE, ids=str)
def test_the_closed_forms_are_what_a_simulation_shows(grid):
    """Requests per second, empty share, mean and longest delay: within 1 % of an event simulation."""
    mode = grid["mode"]
    conditions = Conditions(**{name: value for name, value in grid.items() if name != "mode"})
    form, played = ideal(mode, conditions), simulate(mode, conditions)
    assert form.requests_per_s == pytest.approx(played[0], rel=0.01)
    assert form.empty_share == pytest.approx(played[1], rel=0.01, abs=0.003)
    assert form.latency_mean_s == pytest.approx(played[2], rel=0.01)
    assert form.latency_max_s == pytest.approx(played[3], rel=0.01)


def play(mode, conditions, window):
    """One listener in one run: the requests that it makes until it is over; a held poll begins it."""
    times, trips = [planned.at for planned in timetable(conditions)], 1 if conditions.keep_alive else 2
    one = Simulated(times)
    hold, pause = (conditions.hold, 0) if mode == "longpoll" else (0, conditions.interval)
    now = 0.0 if mode == "longpoll" else random.Random(conditions.seed).uniform(0, pause + conditions.rtt)
    while now <= window:
        if one.received == len(times) or times[one.received] > now:
            following = times[one.received] if one.received < len(times) else float("inf")
            now = min(following, now + hold)
        if now <= window:
            one.answer(now, conditions.rtt / 2)
        now += trips * conditions.rtt + pause
    return one.requests + 1


FINITE = [
    *({"mode": "longpoll", "rate": rate, "rtt": rtt} for rate in (4, 20) for rtt in (0.02, 0.1, 0.3)),
    {"mode": "longpoll", "rate": 0.5, "rtt": 0.1, "hold": 1.0},
    {"mode": "longpoll", "rate": 20, "rtt": 0.1, "arrivals": "periodic"},
    {"mode": "longpoll", "rate": 20, "rtt": 0.03, "arrivals": "periodic"},
    {"mode": "shortpoll", "rate": 4, "rtt": 0.3},
]


@pytest.mark.parametrize("grid", FINITE, ids=str)
def test_a_run_begins_and_ends(grid):
    """Short runs have the requests that the form says, edges included: within 1 % on average."""
    conditions = {name: value for name, value in grid.items() if name != "mode"}
    conditions |= {"duration": 120 / grid["rate"], "payload": 1}
    predicted = predict_run(grid["mode"], Conditions(clients=1, **conditions), ZERO_COST)
    runs = [
        play(grid["mode"], Conditions(seed=seed, **conditions), predicted.window_s) for seed in range(300)
    ]
    assert predicted.requests == pytest.approx(sum(runs) / len(runs), rel=0.01)


def test_the_example_of_the_literature():
    """4 messages/s and a round trip of 0.1 s: 3.737 polls per second, 18.7 ms above one way."""
    form = ideal("longpoll", Conditions(rate=4, rtt=0.1))
    assert form.requests_per_s == pytest.approx(3.737, abs=0.001)
    assert form.latency_mean_s - 0.05 == pytest.approx(0.0187, abs=0.0001)
    assert form.latency_max_s == pytest.approx(3 * 0.05)


def test_long_polling_leaves_websocket_at_half_the_period():
    """At 4 messages/s, evenly spaced, long polling is as fast as WebSocket until L = 125 ms, then slower."""

    def mean(mode, one_way):
        return ideal(mode, Conditions(rate=4, arrivals="periodic", rtt=2 * one_way)).latency_mean_s

    assert mean("longpoll", 0.124) == pytest.approx(mean("websocket", 0.124))
    assert mean("longpoll", 0.126) > 1.9 * mean("websocket", 0.126)


def test_streams_ask_once_and_receive_one_way_later():
    """No requests after set-up, delay L; a link that is too narrow for the room has no steady delay."""
    form = ideal("sse", Conditions(rate=4, rtt=0.1))
    assert (form.requests_per_s, form.latency_mean_s, form.latency_max_s) == (0, 0.05, 0.05)
    narrow = ideal("sse", Conditions(rate=100, bandwidth=10_000), Exchange(0, 0, 200))
    assert narrow.latency_mean_s is None


def test_a_narrow_link_adds_the_time_of_transmission():
    """1250 bytes at 100 kbit/s take 0.1 s."""
    wide, narrow = (ideal("sse", Conditions(bandwidth=bits), Exchange(0, 0, 1250)) for bits in (0, 100_000))
    assert narrow.latency_mean_s - wide.latency_mean_s == pytest.approx(0.1)


def test_the_window_lasts_until_the_last_message_is_received():
    """A short poller's run is counted on until its last poll has brought the last message."""
    conditions = Conditions(rate=1, duration=10, interval=5)
    assert predict_run("shortpoll", conditions, ZERO_COST).window_s > 10
    assert predict_run("sse", conditions, ZERO_COST).window_s == 10


@pytest.mark.parametrize("mode", MODES)
def test_bytes_come_from_one_measured_exchange(mode):
    """A prediction is there for each technique, and grows with deliveries as the payload does."""
    same = {"clients": FEW, "duration": 50, "interval": 60, "arrivals": "periodic"}  # on a busy machine too
    short, long = lab.predict(mode, **same), lab.predict(mode, payload=140, **same)
    assert long.bytes - short.bytes == pytest.approx(FEW * 50 * 100, rel=0.02)
    names = {"requests", "bytes", "latency_mean_s", "latency_clients_s", "load"}
    assert short.as_json().keys() == names


def test_bare_headers_weigh_less():
    """The constants depend on what is sent, so they are measured for each kind of exchange."""
    bare, usual = (lab.predict("longpoll", clients=FEW, headers=sent) for sent in ("bare", "browser"))
    assert bare.bytes < 0.7 * usual.bytes


def test_what_cannot_be_predicted_is_refused():
    """A technique or a condition that does not exist is reported in one sentence."""
    with pytest.raises(BadParameter):
        lab.predict("pigeon")
    with pytest.raises(BadParameter):
        lab.predict("sse", rtt=-1)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_carries_its_prediction(mode):
    """Requests and bytes of a short run are near what was predicted; how near, the benchmark shows."""
    slow = {"rate": 2, "interval": 0.5, "arrivals": "periodic"}  # so that a busy machine changes little
    run = lab.measure(mode, clients=FEW, duration=2, rtt=0.02, **slow)
    assert run.clean
    assert run.receive["requests"] == pytest.approx(run.predicted["requests"], rel=0.25)
    assert run.socket_bytes == pytest.approx(run.predicted["bytes"], rel=0.25)
    assert run.latency_s["mean"] > 0.01 < run.predicted["latency_mean_s"], "no less than one way of the link"
