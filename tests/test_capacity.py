"""Capacity: from unit costs of small runs to many listeners; formulas, what is not known, and bad input."""

import io
import math
from dataclasses import replace

import pytest

import lab
from lab.errors import BadInput, BadParameter
from lab.experiment.capacity import CONSTANTS_HEAD, HEAD
from lab.experiment.conditions import Conditions
from lab.figures import style
from lab.notebooks import recorded, table
from lab.results.runs import Run
from lab.results.slope import at_zero, slope
from tests.support.drawing import texts
from tests.support.lab_process import ROOT

REQUEST, ANSWER, MESSAGE, HEADERS = 700, 300, 200, 52
POLL_S, MESSAGE_S, OWN_S = 2e-4, 1e-5, 0.5
CONNECTION, EMPTY_LAB = 12_000, 40_000_000
RATE, DURATION = 2.0, 10.0


def counts(mode, clients, messages):
    """Requests, segments and processor time of such a run, and how many requests have no answer."""
    delivered = clients * messages
    if mode in ("sse", "websocket"):
        return clients, 3 * clients + 2 * delivered, delivered * MESSAGE_S, 0
    polls = messages if mode == "longpoll" else round(DURATION)
    requests, held = clients * (polls + 1), clients if mode == "longpoll" else 0
    return requests, 3 * clients + 3 * requests - 3 * held // 2, clients * polls * POLL_S, held


def made(mode, clients, rate=RATE, **changed):
    """A run that costs exactly what the constants above say; the lab's own work comes on top."""
    messages = round(rate * DURATION)
    delivered = clients * messages
    requests, segments, cpu, held = counts(mode, clients, messages)
    head = requests * REQUEST + (requests - held) * ANSWER
    meter = {"requests": requests, "empty": 0, "connections": clients, "messages": delivered}
    meter |= {"bytes_in": requests * REQUEST, "bytes_out": head - requests * REQUEST + delivered * MESSAGE}
    meter |= {"head_bytes": head, "framing_bytes": 0, "payload_bytes": delivered * MESSAGE}
    run = Run(
        *(mode, 1, messages, delivered, delivered, 0, 0, 0),
        receive=meter,
        send={},
        latency_s={"mean": 0.01, "p99": 0.02},
        server_cpu_s=OWN_S + cpu,
        server_rss_bytes=EMPTY_LAB + clients * CONNECTION,
        predicted={"latency_mean_s": None},
        series=[],
        conditions=Conditions(clients=clients, rate=rate, duration=DURATION).as_json(),
        lab={},
        segments={"in": segments // 2, "out": segments - segments // 2},
        wire_bytes=head + delivered * MESSAGE + segments * HEADERS + 16 * clients,
    )
    return replace(run, **changed)


@pytest.fixture(scope="module")
def runs():
    """Three techniques with three numbers of listeners."""
    return [made(mode, n) for n in (100, 400, 1000) for mode in ("shortpoll", "longpoll", "websocket")]


def test_a_stream_needs_its_messages(runs):
    """Labs, memory, bandwidth and segments are N times the rate times the constants, and nothing else."""
    need = lab.capacity(runs, listeners=100_000, rate=4).needs["websocket"]
    assert need.cores == pytest.approx(100_000 * 4 * MESSAGE_S) and need.labs == 8
    assert need.polls_per_s == 0 and need.connections == 100_000
    assert need.bits_per_s == pytest.approx(8 * 100_000 * 4 * MESSAGE)
    assert need.segments_per_s == pytest.approx(100_000 * 4 * 2)
    assert need.wire_bits_per_s == pytest.approx(8 * 100_000 * 4 * (MESSAGE + 2 * HEADERS))
    assert need.memory_bytes == pytest.approx(100_000 * CONNECTION + 8 * EMPTY_LAB)
    assert need.last_served_s == pytest.approx(100_000 / 8 * MESSAGE_S)


def test_polls_are_paid_for_each_poll(runs):
    """A short poller asks once a second, whatever the rate; a long poller once for each message."""
    found = lab.capacity(runs, listeners=1000)
    short, long = found.needs["shortpoll"], found.needs["longpoll"]
    assert found.rate == RATE and short.last_served_s is None
    assert short.polls_per_s == pytest.approx(1000) and short.cores == pytest.approx(1000 * POLL_S)
    assert long.polls_per_s == pytest.approx(2000) and long.cores == pytest.approx(2000 * POLL_S)
    assert long.bits_per_s == pytest.approx(8 * 2000 * (REQUEST + ANSWER + MESSAGE))
    assert long.wire_bits_per_s == pytest.approx(
        8 * 2000 * (REQUEST + ANSWER + MESSAGE + 3 * HEADERS), rel=0.01
    )


def test_more_utilisation_needs_fewer_labs(runs):
    """Labs are cores divided by the share of the time in which each may be busy, rounded up."""
    labs = [lab.capacity(runs, 10**6, utilisation=u).needs["websocket"].labs for u in (0.25, 0.5, 1)]
    assert labs == [80, 40, 20]
    assert lab.capacity(runs, 1).needs["websocket"].labs == 1


def test_what_was_not_measured_is_none_and_what_follows_too(runs):
    """Without processor time no labs and no memory; without segments no bytes with TCP/IP; bytes stay."""
    no_cpu = lab.capacity([replace(run, server_cpu_s=None) for run in runs]).needs["longpoll"]
    assert (no_cpu.cores, no_cpu.labs, no_cpu.memory_bytes, no_cpu.last_served_s) == (None,) * 4
    assert no_cpu.wire_bits_per_s > no_cpu.bits_per_s > 0
    no_kernel = lab.capacity([replace(run, segments=None, wire_bytes=None) for run in runs]).needs[
        "websocket"
    ]
    assert (no_kernel.wire_bits_per_s, no_kernel.segments_per_s) == (None, None) and no_kernel.labs
    no_memory = lab.capacity([replace(run, server_rss_bytes=None) for run in runs]).needs["shortpoll"]
    assert no_memory.memory_bytes is None and no_memory.labs


def test_one_number_of_listeners_tells_nothing_of_the_processor(runs):
    """The lab's own work is in it, and cannot be told apart."""
    need = lab.capacity([run for run in runs if run.conditions["clients"] == 400]).needs["websocket"]
    assert need.labs is None and need.memory_bytes is None and need.bits_per_s


def test_nothing_is_said_of_polls_outside_of_what_was_measured(runs):
    """A poll with other numbers of messages may cost more or less; between two measured ones it is a line."""
    assert lab.capacity(runs, rate=1).needs["shortpoll"].labs is None
    assert lab.capacity(runs, rate=1).needs["longpoll"].labs
    more = [*runs, *(made("shortpoll", n, rate=0.5) for n in (100, 400, 1000))]
    assert lab.capacity(more, rate=1).needs["shortpoll"].cores == pytest.approx(1e6 * POLL_S)
    assert lab.capacity(more, rate=8).needs["shortpoll"].cores is None


def test_each_constant_has_its_run(runs):
    """Every constant names technique, listeners, rate, length and rounds; the tables can be shown."""
    found = lab.capacity(runs)
    assert len(found.constants()) == 7 + 7 + 6
    assert all(
        "100 to 1,000 listeners, 2 messages/s, 40 characters, 1 round" in row[-1] for row in found.constants()
    )
    assert "websocket" in str(table(HEAD, found.rows()))
    assert "memory for a connection, KiB" in str(table(CONSTANTS_HEAD, found.constants()))


HOSTILE = [
    *({"listeners": value} for value in (0, -1, 1.5, True, "many", None, 10**13, math.nan)),
    *({"rate": value} for value in (0, -1, math.inf, math.nan, "1", True)),
    *({"utilisation": value} for value in (0, 1.01, -0.5, "half", math.nan)),
    {"interval": 0},
    {"hold": -1},
]


@pytest.mark.parametrize("wrong", HOSTILE, ids=str)
def test_numbers_that_make_no_sense_are_refused(runs, wrong):
    """In a sentence that names the number."""
    with pytest.raises(BadParameter, match=next(iter(wrong))):
        lab.capacity(runs, **wrong)


@pytest.mark.parametrize("wrong", [[], None, "runs", [1], 3])
def test_what_are_no_runs_is_refused(wrong):
    """As in every other function that takes runs."""
    with pytest.raises(BadParameter, match=r"lab\.measure"):
        lab.capacity(wrong)


@pytest.mark.parametrize(("name", "value"), [("payload", 400), ("headers", "bare"), ("labs", 2)])
def test_runs_that_cannot_be_combined_are_refused(runs, name, value):
    """Bytes and processor time depend on these conditions."""
    other = replace(runs[0], conditions=runs[0].conditions | {name: value})
    with pytest.raises(BadParameter, match=name):
        lab.capacity([*runs, other])


def test_runs_through_a_proxy_are_refused(runs):
    """Processor time would be without the proxy's."""
    with pytest.raises(BadParameter, match="proxy"):
        lab.capacity([replace(run, conditions=run.conditions | {"proxy": "timeout=3s"}) for run in runs])


def test_runs_that_delivered_nothing_say_nothing(runs):
    """No division by zero: all of it is None."""
    none = [
        replace(run, delivered=0, server_cpu_s=OWN_S, receive=run.receive | {"requests": 0, "connections": 0})
        for run in runs
    ]
    needs = lab.capacity(none).needs.values()
    assert all((need.labs, need.bits_per_s, need.memory_bytes) == (None, None, None) for need in needs)


def test_a_slope_is_taken_in_each_round(runs):
    """Rounds that differ by a constant have the same slope; the value at nothing is that constant."""
    rounds = [
        replace(run, round=n, server_cpu_s=run.server_cpu_s + n)
        for n in (1, 2, 3)
        for run in runs
        if run.mode == "websocket"
    ]
    found = slope(rounds, lambda run: run.delivered, lambda run: run.server_cpu_s)
    assert found.median == pytest.approx(MESSAGE_S) and found.rounds == 3
    assert (found.low, found.high) == pytest.approx((MESSAGE_S, MESSAGE_S))
    zero = at_zero(rounds, lambda run: run.delivered, lambda run: run.server_cpu_s)
    assert (zero.low, zero.median, zero.high) == pytest.approx((OWN_S + 1, OWN_S + 2, OWN_S + 3))
    assert slope(rounds, lambda run: run.delivered, lambda run: -run.delivered) is None
    assert slope(rounds, lambda run: run.delivered, lambda run: None) is None


def test_the_figure_shows_labs_memory_and_bandwidth(runs):
    """Its numbers are those of the computation, it says what is computed, and what was not measured."""
    found = lab.capacity(runs, listeners=20_000, rate=1)
    figure = lab.figures.capacity(found)
    shown = texts(figure)
    assert all(
        text in shown for text in ("Labs of one core", "Memory, GiB", "Bandwidth, Gbit/s", "not measured")
    )
    assert f" {found.needs['longpoll'].labs} " in shown
    assert "20,000 listeners at 1/s" in figure.alt and "labs busy 50%" in figure.alt


def test_a_record_of_another_notebook_is_never_measured_again(monkeypatch):
    """`recorded` reads it, also while new runs are recorded."""
    monkeypatch.chdir(ROOT / "notebooks")
    monkeypatch.setenv("PUSHLAB_LIVE", "record")
    assert {run.conditions["clients"] for run in recorded("04-clients-10")} == {10}
    with pytest.raises(BadInput, match="no record"):
        recorded("99-nothing")


def test_the_memory_of_a_connection_is_the_slope_of_the_line(runs):
    """The line begins at the memory of an empty lab; with one size there are dots alone."""
    figure = lab.figures.memory(runs)
    lines = [line for line in figure.axes[0].get_lines() if list(line.get_xdata()) == [0, 1000]]
    ends = [EMPTY_LAB / 2**20, (EMPTY_LAB + 1000 * CONNECTION) / 2**20]
    assert len(lines) == 3 and all(list(line.get_ydata()) == pytest.approx(ends) for line in lines)
    assert f"websocket {CONNECTION / 1024:.1f}" in figure.alt
    assert "websocket –" in lab.figures.memory(runs[-1]).alt


@pytest.mark.needs("chinese-font")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_line_of_conditions_fits_its_sheet(runs, language):
    """A Chinese character is twice as wide as a Latin one, and a long line is broken."""
    with style.in_language(language):
        figure = lab.figures.capacity(runs)
    figure.savefig(io.BytesIO(), format="png")
    line = figure.findobj(lambda text: getattr(text, "get_text", str)() == figure.get_supxlabel())[0]
    assert line.get_window_extent().x1 <= figure.bbox.width
