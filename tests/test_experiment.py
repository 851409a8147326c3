"""Measured runs: the timetable, the check, the record, and one real run of each technique."""

import asyncio
import io
import json
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lab
from lab.catalogue import MODES
from lab.errors import BadInput, BadParameter, CannotStart
from lab.experiment.calibration import FEW
from lab.experiment.conditions import Conditions
from lab.experiment.probe import difference
from lab.experiment.readiness import MeterSnapshots, listening
from lab.experiment.session import order
from lab.experiment.timetable import timetable
from lab.meters import Meter
from lab.results.client_load import Efforts, client_load, warnings
from lab.results.format import late
from lab.results.runs import document, write_csv

ALL = 15 * FEW
"""Deliveries of each run below."""

# The timetable --------------------------------------------------------------------------------


@given(seed=st.integers(0, 99), rate=st.floats(0.5, 20), arrivals=st.sampled_from(["poisson", "periodic"]))
def test_the_timetable_is_drawn_beforehand(seed, rate, arrivals):
    """The same seed gives the same timetable: rate x duration messages, in order, within the duration."""
    conditions = Conditions(rate=rate, duration=10, seed=seed, arrivals=arrivals)
    plan = timetable(conditions)
    assert plan == timetable(conditions)
    assert len(plan) == round(rate * 10)
    moments = [planned.at for planned in plan]
    assert moments == sorted(moments) and moments[0] >= 0 and moments[-1] <= 10 + 1 / rate


def test_poisson_arrivals_are_independent():
    """In a Poisson process the counts of many short windows vary as much as their mean."""
    plan = timetable(Conditions(rate=100, duration=100))
    counts = [sum(second <= planned.at < second + 1 for planned in plan) for second in range(100)]
    variance = sum((count - 100) ** 2 for count in counts) / len(counts)
    assert 50 < variance < 200


@pytest.mark.parametrize(
    "nonsense",
    [{"clients": 0}, {"rate": 0}, {"duration": -1}, {"payload": 0}, {"arrivals": "x"}, {"rate": float("nan")},
     {"rate": 0.01, "duration": 1}, {"headers": "many"}, {"rounds": 0}],
)  # fmt: skip
def test_conditions_that_make_no_sense_are_refused(nonsense):
    """A condition that cannot be met is refused before anything is started."""
    with pytest.raises(BadParameter):
        Conditions(**nonsense)


def test_rounds_begin_with_another_technique_each():
    """Every round measures every technique once, and none is always first."""
    assert order(["a", "b", "c"], 2) == ["a", "b", "c", "b", "c", "a"]


def test_percentiles_are_not_subtracted():
    """The difference of two meters has counts, and percentiles only when the first was empty."""
    meter = Meter()
    nothing = meter.as_json()
    meter.delivery.add([1.0])
    some = meter.as_json()
    meter.delivery.add([3.0])
    assert difference(meter.as_json(), nothing)["delivery_s"]["max"] == 3.0
    assert difference(meter.as_json(), some)["delivery_s"] == dict.fromkeys(some["delivery_s"]) | {"count": 1}


class Scripted:
    """A lab whose meters say what was written down for them."""

    def __init__(self, *looks):
        self.looks = [Meter().as_json() | look for look in looks]

    async def snapshot(self, mode):
        """The next snapshot; the last one again and again."""
        return {"receive": self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]}


@pytest.mark.parametrize(("mode", "bytes_out"), [("sse", 245), ("shortpoll", 0)])
async def test_the_beginning_of_a_stream_is_counted(mode, bytes_out):
    """The answer of a stream begins after its request: counting waits for it, but not for one who asks on."""
    asked = {"connections": 1, "requests": 1, "bytes_in": 562}
    probe, looks = (
        Scripted(asked, asked | {"bytes_out": 245}),
        MeterSnapshots(before={"receive": Meter().as_json()}),
    )
    await listening(probe, mode, looks, Conditions(clients=1), asyncio.Event())
    assert looks.ready["receive"]["bytes_out"] == bytes_out and looks.zero["receive"]["bytes_out"] == 245


# A real run -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs():
    """One short run of each technique, together; more listeners would each be calibrated too."""
    return lab.compare(clients=FEW, rate=10, duration=1.5, interval=0.3, seed=3)


def of(runs, mode):
    """The run of one technique."""
    return next(run for run in runs if run.mode == mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_delivers_everything_once_and_in_order(runs, mode):
    """15 messages reach four listeners, and the server counted the same deliveries as the listeners."""
    run = of(runs, mode)
    assert (run.sent, run.expected, run.delivered) == (15, ALL, ALL)
    assert run.clean and not run.partial
    assert run.receive["messages"] == ALL and run.send["messages"] == 15


@pytest.mark.parametrize("mode", MODES)
def test_a_run_measures_what_the_technique_costs(runs, mode):
    """Bytes split without rest, every latency counted, CPU and memory known."""
    run = of(runs, mode)
    parts = sum(run.receive[f"{name}_bytes"] for name in ("head", "framing", "payload"))
    assert parts == run.socket_bytes > run.receive["payload_bytes"] > 0
    assert run.latency_s["count"] == ALL and 0 < run.latency_s["p50"] <= run.latency_s["max"]
    assert run.server_cpu_s > 0
    assert run.series[0]["t_s"] < 1 and run.series[-1]["delivered"] <= ALL
    assert run.receive["connections"] == FEW


def test_the_point_can_be_seen(runs):
    """Streams ask once per listener; polls ask again and again, and short polls get empty answers."""
    asked = {run.mode: run.receive["requests"] for run in runs}
    assert asked["sse"] == asked["iframe"] == asked["websocket"] == FEW
    assert asked["longpoll"] >= FEW * 10
    assert of(runs, "longpoll").receive["empty"] == 0
    assert of(runs, "websocket").overhead < of(runs, "sse").overhead < of(runs, "longpoll").overhead


def test_a_run_can_be_saved_and_loaded(runs, tmp_path):
    """What was saved comes back the same."""
    lab.save(runs, tmp_path / "runs.json")
    assert lab.load(tmp_path / "runs.json") == runs


def test_a_file_that_holds_no_runs_is_refused(tmp_path):
    """Anything but a record of runs is refused in one sentence."""
    for text in ("", "[]", '{"schema":"other/1"}', '{"schema":"pushlab.run/1","runs":[{}]}'):
        (tmp_path / "runs.json").write_text(text)
        with pytest.raises(BadInput):
            lab.load(tmp_path / "runs.json")


def test_a_run_has_the_shape_of_the_contract(runs):
    """Schema, lab, conditions and runs, with exactly these keys."""
    found = document(runs)
    assert found["schema"] == "pushlab.run/1"
    assert set(found["lab"]) == {"version", "python", "tornado", "redis", "platform"}
    conditions = (
        "clients rate duration_s interval_s hold_s rtt_s bandwidth payload arrivals headers keep_alive "
        "compress rounds seed"
    )
    assert set(found["conditions"]) == set(conditions.split())
    keys = (
        "mode round sent expected delivered lost duplicated out_of_order receive send latency_s server_cpu_s "
        "server_rss_bytes predicted series fleet segments wire_bytes clock_bound_s"
    )
    assert all(set(run) == set(keys.split()) for run in found["runs"])
    moment = {"t_s", "requests", "empty", "bytes_in", "bytes_out", "delivered"}
    assert all(set(point) == moment for run in found["runs"] for point in run["series"])


def test_a_table_row_per_run_in_csv(runs):
    """CSV has one line per run and says units in its header; what was not measured is empty."""
    text = io.StringIO()
    write_csv(runs, text)
    header, *rows = text.getvalue().splitlines()
    assert len(rows) == len(MODES) and "receive_bytes_in" in header and "latency_s_p95" in header
    assert "fleet_process_1_cpu_share" in header
    assert ",," in rows[0] and "None" not in text.getvalue() and "{" not in text.getvalue()


def test_compressed_and_unkept_runs_are_whole():
    """Compression and a connection per request change the bytes, not what arrives."""
    squeezed = lab.measure("websocket", clients=3, rate=10, duration=1, payload=400, compress=True)
    plain = lab.measure("websocket", clients=3, rate=10, duration=1, payload=400, headers="bare")
    closing = lab.measure("longpoll", clients=3, rate=10, duration=1, keep_alive=False)
    assert squeezed.clean and plain.clean and closing.clean
    assert squeezed.socket_bytes < plain.socket_bytes
    assert squeezed.receive["payload_bytes"] == pytest.approx(plain.receive["payload_bytes"], rel=0.01)
    assert closing.receive["connections"] == closing.receive["requests"]


def test_a_running_lab_can_be_measured(shared_lab_url):
    """With `url` the lab that is there is measured, and the figures are this run's only."""
    for _ in range(2):
        run = lab.measure("sse", url=shared_lab_url, clients=2, rate=3, duration=1)
        assert run.clean and run.receive["messages"] == 6
    assert run.receive["delivery_s"] == dict.fromkeys(run.receive["delivery_s"]) | {"count": 6}


@pytest.fixture
def shared_lab_url():
    """A lab in a process of its own."""
    settings = {"port": 0, "redis": "private", "room": f"run-{random.getrandbits(40):x}"}
    command = [sys.executable, "-m", "lab.server", json.dumps(settings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        process.stdin.close()


def test_a_run_without_a_server_reports_it():
    """Without a lab at the URL there is an error in one sentence."""
    with pytest.raises(CannotStart, match="No lab answers"):
        lab.measure("sse", url="http://127.0.0.1:9", clients=1)


def test_the_seed_decides_what_is_sent(runs):
    """Moments and bodies follow from the seed; another seed gives others."""
    first = timetable(Conditions(seed=3, payload=7))
    assert len(first[0].body) == 7
    assert first != timetable(Conditions(seed=4, payload=7))


# Whether the laptop kept up -------------------------------------------------------------------


def efforts(cpu_s, late_s=0.001):
    """What a process of three clients reported in two seconds."""
    return Efforts(3, [{"t_s": 10.0, "cpu_s": 1.0}, {"t_s": 12.0, "cpu_s": 1.0 + cpu_s}], [late_s] * 9)


def test_listeners_that_keep_up_give_no_warning():
    """Half a core and a punctual publisher are no reason to doubt a run."""
    found = client_load([efforts(1.0)], [0.001] * 20)
    assert found["cpu_share"] == 0.5 and found["late_s"]["p95"] == 0.001
    assert warnings(found) == found["warnings"] == []


def test_listeners_that_do_not_keep_up_give_a_warning():
    """A busy listener process, one that is late and a late publisher are each named, with their figures."""
    found = client_load([efforts(1.9, 0.3)], [0.2] * 20)
    busy, behind, late = found["warnings"]
    assert "95%" in busy and "300 ms" in behind and "200 ms" in late


def test_each_process_has_a_load_of_its_own():
    """The shares add up, and the sentence names the process that is overloaded, and no other."""
    found = client_load([efforts(0.4), efforts(1.4), efforts(0.2)], [])
    assert [round(one["cpu_share"], 6) for one in found["processes"]] == [0.2, 0.7, 0.1]
    assert found["cpu_share"] == pytest.approx(1.0)
    (words,) = found["warnings"]
    assert "client process 2 of 3" in words and "70%" in words
    assert set(found["processes"][0]) == {"clients", "cpu_share", "late_s"}


def test_what_was_not_measured_is_no_reason_to_warn():
    """A run too short to measure its listeners, and a recorded one without the figures, warn of nothing."""
    for processes in ([], [Efforts(3, [], [])], [efforts(0.1), Efforts(3, [], [])]):
        found = client_load(processes, [])
        assert found["cpu_share"] is None and found["warnings"] == []
    assert warnings({}) == []


def test_an_old_record_with_one_share_warns_as_before():
    """Runs that were recorded without a list of processes have one share, of one process."""
    assert "95%" in warnings({"cpu_share": 0.95, "late_s": {"mean": 0.0, "p95": 0.0, "max": 0.0}})[0]


@pytest.mark.timeout(120)
def test_a_run_records_what_its_listeners_cost():
    """The record of a run holds the listeners' share of a core and the publisher's lateness."""
    run = lab.measure("sse", clients=FEW, rate=20, duration=2)
    assert set(run.fleet) == {"cpu_share", "late_s", "processes", "warnings", "latency_mean_s"}
    (process,) = run.fleet["processes"]
    assert process["clients"] == FEW and process["cpu_share"] == run.fleet["cpu_share"]
    assert 0 < run.fleet["cpu_share"] < 2
    assert 0 <= run.fleet["late_s"]["mean"] <= run.fleet["late_s"]["max"] < 2
    assert run.as_json()["fleet"] == run.fleet


@pytest.mark.parametrize(
    ("measured", "predicted", "mode"),
    [
        (0.0043, 0.0014, "+3ms"),
        (0.0, 0.0, "+0ms"),
        (0.055, 0.05, "+10%"),
        (None, 0.05, "–"),
        (0.1, None, "–"),
    ],
)
def test_a_time_differs_in_ms_where_theory_predicts_almost_none(measured, predicted, mode):
    """Four milliseconds where theory says one are three late, and not 300 % off."""
    assert late(measured, predicted) == mode
