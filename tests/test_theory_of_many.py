"""Many listeners on one processor: the forms against an event simulation, and what a run says."""

import asyncio
import io
import random
import socket
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from rich.console import Console

import lab
from lab.catalogue import MODES
from lab.experiment.conditions import Conditions
from lab.experiment.far import is_here, predicted_at
from lab.experiment.prediction import Exchange, ideal
from lab.experiment.queueing import Work, poll_cycle, wait_for_earlier
from lab.figures.html_report import report
from lab.results.table import show

EACH = Work(in_turn=0.0004, handed=0.0001, server=0.0001, clients=0.0004, outside=0.002)
BUSY_SERVER = Work(in_turn=0.0003, handed=0.0003, server=0.0003, clients=0.0001, once=0.002)
ONCE = Work(in_turn=0.0002, handed=0.0001, server=0.0001, clients=0.0002, once=0.004)
TRANSIT = 0.003
MESSAGES = 100_000
SEEDS = (1, 2, 3, 4, 5, 6)


@cache
def units(seed):
    """Times of many Poisson messages, one per second."""
    draw = random.Random(seed)
    return np.cumsum([draw.expovariate(1) for _ in range(MESSAGES)])


def moments(rate, seed=7):
    """The same messages at another rate."""
    return units(seed) / rate


def in_turn(sent, service):
    """When each message is begun: when it is there and all earlier ones are done.

    For message n that is the latest of all `sent[k] + (n - k) * service`.
    """
    work = service * np.arange(len(sent))
    return np.maximum.accumulate(sent - work) + work


def stream(rate, listeners, work):
    """Two processes in a row: the server hands each message to all listeners, the clients take what is there.

    The mean delay of all deliveries, beyond that of a single listener at rest.
    """
    late, others = 0.0, listeners - 1
    assert work.clients >= work.server or work.once >= work.clients, "else the clients may still be busy"
    for seed in SEEDS:
        sent = moments(rate, seed)
        begun = in_turn(sent, work.once + others * work.server)
        if work.clients >= work.server:
            begun = in_turn(begun, listeners * work.clients)
        late += float(np.sum(begun - sent))
    return late / MESSAGES / len(SEEDS) + others * work.slower / 2


QUEUES = [(EACH, listeners, busy) for listeners in (1, 20, 100, 300) for busy in (0.1, 0.6)]
QUEUES += [(work, listeners, 0.6) for work in (BUSY_SERVER, ONCE) for listeners in (1, 20, 300)]


@pytest.mark.parametrize(("work", "listeners", "busy"), QUEUES)
def test_streams_are_a_queue(work, listeners, busy):
    """Mean delay of a stream with N listeners: within 1 % of a simulation, up to a load of 0.6.

    Whether the clients are the slower side, or the server, or the server by what it does once for a message.
    """
    rate = busy / work.service(listeners)
    form = ideal("sse", Conditions(clients=listeners, rate=rate), Exchange(0, 0, 0, TRANSIT, work))
    assert form.latency_mean_s - TRANSIT == pytest.approx(stream(rate, listeners, work), rel=0.01)


def long_polls(rate, listeners, hold=25.0):
    """A pass answers all listeners with all that waits; the next begins when it is over, or later.

    Returns the mean delay, and the polls of each listener per second.
    """
    away, waited, passes = TRANSIT + EACH.one_pass(listeners), 0.0, 0
    ends = []
    for seed in SEEDS:
        over, waiting, now = 0.0, 0, 0.0
        for now in moments(rate, seed).tolist():
            if waiting and now > over:
                over, waiting, passes = over + away, 0, passes + 1
            if now <= over:
                waited, waiting = waited + over - now, waiting + 1
            else:
                passes += 1 + int((now - over) // hold)
                over = now + away
        ends.append(now)
    turns = [TRANSIT + k * EACH.in_turn for k in range(listeners)]
    return waited / MESSAGES / len(SEEDS) + sum(turns) / listeners, passes / sum(ends)


@pytest.mark.parametrize("listeners", [1, 20, 100, 300])
@pytest.mark.parametrize("busy", [0.1, 0.3, 0.6, 2.0])
def test_long_polls_take_all_that_waits(listeners, busy):
    """Mean delay and requests of N long polls: within 1 % of a simulation, at any load."""
    rate = min(50.0, busy / (EACH.slower * max(1, listeners - 1)))
    form = ideal("longpoll", Conditions(clients=listeners, rate=rate), Exchange(0, 0, 0, TRANSIT, EACH))
    delay, polls = long_polls(rate, listeners)
    assert form.latency_mean_s == pytest.approx(delay, rel=0.01)
    assert form.requests_per_s == pytest.approx(polls, rel=0.01)


@pytest.mark.parametrize("busy", [0.5, 0.9, 1.0, 1.5])
def test_short_pollers_wait_for_each_other(busy):
    """The cycle of N pollers is the timer while the lab is idle, and the work of all when it is saturated."""
    listeners, work = 200, 0.001
    pause = listeners * work / busy
    assert poll_cycle(pause, work, listeners) == pytest.approx(max(pause, listeners * work), rel=0.06)
    assert poll_cycle(pause, work, 1) == pause


def test_no_steady_state_from_a_load_of_one_on():
    """Messages that come faster than they are served have no mean delay; long polls take them together."""
    busy, weights = Conditions(clients=300, rate=20), Exchange(0, 0, 0, TRANSIT, EACH)
    assert wait_for_earlier(20, EACH.service(300), "poisson") is None
    assert ideal("sse", busy, weights).latency_mean_s is None
    assert ideal("longpoll", busy, weights).latency_mean_s == pytest.approx(
        TRANSIT + EACH.turn(300) + EACH.one_pass(300) / 2, rel=0.1
    )


def test_evenly_spaced_messages_wait_for_none():
    """Below a load of one each is done before the next one comes."""
    assert wait_for_earlier(5, 0.1, "periodic") == 0
    assert wait_for_earlier(11, 0.1, "periodic") is None
    assert wait_for_earlier(5, 0.1, "poisson") == pytest.approx(0.05)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_with_many_listeners_is_predicted_with_their_work(mode):
    """The clients' own work is a part of the predicted latency, and of the measured one.

    How near the two are is a benchmark (`python -m tests.benchmarks.theory`): another program can delay any
    of 700 deliveries. On a machine that is too busy for this rate there is no prediction.
    """
    run = lab.measure(mode, clients=100, rate=2, duration=3, arrivals="periodic")
    predicted, measured = run.predicted["latency_mean_s"], run.latency_s["mean"]
    assert predicted is None or 0 < run.predicted["latency_clients_s"] < predicted < 20 * measured
    assert 0 <= run.fleet["latency_mean_s"] < measured


@pytest.fixture(scope="module")
def overloaded():
    """A run with more messages than this machine can deliver, by theory."""
    run = lab.measure("sse", clients=5, rate=10, duration=0.5)
    return replace(run, predicted=run.predicted | {"latency_mean_s": None, "load": 1.3})


def test_the_tables_say_which_part_is_the_clients_own_work(overloaded):
    """In the terminal, at any width, and in the report; also that there is no steady state."""
    wide, narrow = (shown([overloaded], width) for width in (80, 44))
    for text in (wide, narrow, report([overloaded], "en")):
        assert "load 1.3" in text and "no steady state" in text
    assert "work of the simulated clients" in wide and "clients' own" in narrow
    assert "the clients&#x27; own work" in report([overloaded], "en")


def shown(runs, width):
    """What a terminal of this width shows."""
    text = io.StringIO()
    show(runs, Console(file=text, width=width))
    return " ".join(text.getvalue().split())


def test_old_records_have_tables_too(overloaded):
    """A record without these figures is shown without them."""
    old = replace(overloaded, predicted=dict.fromkeys(("requests", "bytes", "latency_mean_s")), fleet={})
    assert "work of the simulated clients" not in shown([old], 80)
    assert report([old])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", socket.gethostname()])
def test_a_lab_on_this_machine_is_here(host):
    """An address of this machine, or a name of one."""
    assert is_here(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid", "", "." * 300])
def test_a_far_lab_has_no_predicted_latency(host):
    """What was calibrated on this machine says nothing of another one's times; its bytes are the same."""
    assert not is_here(host)
    predicted = {"requests": 1, "bytes": 2, "latency_mean_s": 3, "latency_clients_s": 1, "load": 0.5}
    far = asyncio.run(
        predicted_at(f"http://{host}:8000" if ":" not in host else f"http://[{host}]:8000", predicted)
    )
    assert far == {"requests": 1, "bytes": 2, "latency_mean_s": None, "latency_clients_s": None, "load": None}
    assert asyncio.run(predicted_at(None, predicted)) == predicted
