"""Conditions as users write them: kept as plain numbers, or refused at once with a sentence."""

import argparse
import json
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import lab
from lab.catalogue import MODES
from lab.cli import main
from lab.errors import BadParameter
from lab.experiment import arguments
from lab.experiment.conditions import NUMBERS, WHOLE, Conditions, known
from lab.experiment.session import modes_of

TYPES = [
    *(
        int,
        float,
        Decimal,
        Fraction,
        np.array,
        np.int8,
        np.uint16,
        np.int64,
        np.float16,
        np.float32,
        np.float64,
    ),
    *(np.longdouble, lambda value: np.array(value, dtype="f4"), lambda value: np.ma.array(value)),
]
NO_NUMBERS = [
    *(
        True,
        False,
        np.True_,
        np.array(True),
        None,
        "3",
        b"3",
        "",
        3j,
        np.complex64(3),
        np.array(3j),
        [3],
        (3,),
    ),
    *({3: 3}, np.array([3]), float("nan"), float("inf"), -float("inf"), np.nan, np.float32("inf"), object),
    *(
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        np.datetime64("2026-01-01"),
        np.timedelta64(3, "s"),
    ),
    *(10**400, -(10**5000), Decimal("1e999999"), Fraction(10**400, 3), -3, np.str_("3"), np.array("3")),
]
TAKEN = 2
"""A value that every numeric condition takes."""


def conditions(name, value):
    """Conditions with this one; for jitter with a round trip that leaves room for it."""
    scaled = {"bandwidth": {"bandwidth": 5000}, "jitter": {"rtt": 60}}.get(name, {})
    return Conditions(**(scaled | {name: value}))


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: getattr(kind, "__name__", str(kind)))
@pytest.mark.parametrize("name", [*WHOLE, *(name for name in NUMBERS if name != "bandwidth")])
def test_a_number_of_any_type_is_accepted(name, kind):
    """Every numeric condition takes every type of number, and keeps a plain one that JSON can hold."""
    kept = getattr(conditions(name, kind(TAKEN)), name)
    assert type(kept) is (int if name in WHOLE else float) and kept == TAKEN
    json.dumps(conditions(name, kind(TAKEN)).as_json(), allow_nan=False)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(type(value)))
@pytest.mark.parametrize("name", [*WHOLE, *NUMBERS])
def test_what_is_no_number_is_refused_in_words(name, value):
    """Anything else is refused in one short sentence that names the condition."""
    with pytest.raises(BadParameter, match=f"^{name} must be a (whole )?number from ") as refused:
        conditions(name, value)
    assert len(str(refused.value)) < 200 and "\n" not in str(refused.value)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_may_be_written_as_a_float(name):
    """20.0 is a whole number, and 20.5 is none, in every type."""
    assert getattr(conditions(name, 20.0), name) == 20
    for kind in (float, Decimal, Fraction, np.float32, np.array):
        with pytest.raises(BadParameter, match="whole number"):
            conditions(name, kind(20.5))


def test_bandwidth_is_none_or_enough():
    """0 is no limit, below 1000 bits per second nothing works, and NumPy's numbers are as good as others."""
    assert (
        Conditions(bandwidth=np.uint32(5000)).bandwidth == 5000.0 and Conditions(bandwidth=0).bandwidth == 0
    )
    with pytest.raises(BadParameter, match="bandwidth"):
        Conditions(bandwidth=np.float64(999))


def test_client_processes_are_a_number_or_the_usual_one():
    """None is the usual number; each process has a client, so there are at most as many as clients."""
    assert Conditions().client_processes is None and "client_processes" not in Conditions().as_json()
    asked = Conditions(clients=3, client_processes=np.int8(3))
    assert asked.client_processes == asked.processes == asked.as_json()["client_processes"] == 3
    assert Conditions.of(asked.as_json()) == asked
    for value in (0, 4, 1.5, True, "2"):
        with pytest.raises(BadParameter, match=r"client_processes .* from 1 to 3"):
            Conditions(clients=3, client_processes=value)


@pytest.mark.parametrize("value", [True, False, np.True_, np.array(False), 1, 0])
def test_a_switch_is_true_or_false(value):
    """Both, in Python's and NumPy's spelling, become Python's."""
    assert Conditions(keep_alive=value).keep_alive is bool(value)
    assert Conditions(compress=value).compress == ("fresh" if value else False)


@pytest.mark.parametrize("value", ["no", "", None, 2, 0.0, [], np.array([True])])
def test_what_is_neither_is_refused(value):
    """A word is never taken for its truth: "no" is not False."""
    with pytest.raises(BadParameter, match="compress must be True, False"):
        Conditions(compress=value)


def test_numpy_strings_are_accepted():
    """A NumPy string is a string; a misspelt one is refused with the word that is most like it."""
    assert type(Conditions(headers=np.str_("bare")).headers) is str
    with pytest.raises(BadParameter, match=r"Did you mean poisson\?"):
        Conditions(arrivals="Poison")
    with pytest.raises(BadParameter):
        Conditions(arrivals=np.array(["poisson", "periodic"]))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("client", "clients"), ("Clients", "clients"), ("hold_s", "hold"), ("keepalive", "keep_alive"),
     ("durations", "duration"), ("bandwith", "bandwidth")],
)  # fmt: skip
@pytest.mark.parametrize("call", [lab.measure, lab.compare, lab.predict])
def test_a_misspelt_condition_is_named_with_the_right_one(call, wrong, right):
    """The sentence says which conditions there are, and which is meant."""
    with pytest.raises(BadParameter, match=rf"no condition '{wrong}'.*Did you mean {right}\?"):
        call("sse", **{wrong: 3})


@pytest.mark.parametrize("call", [lab.measure, lab.compare, lab.predict])
def test_all_calls_refuse_alike(call):
    """What is no number is refused before anything is started, by each of the three calls."""
    with pytest.raises(BadParameter, match="clients must be a whole number"):
        call("sse", clients="3")
    with pytest.raises(BadParameter, match="rounds must be a whole number"):
        call("sse", rounds=np.nan)


@pytest.mark.parametrize(
    "modes",
    [["sse", "longpoll"], ("sse", "longpoll"), np.array(["sse", "longpoll"]),
     (mode for mode in ["sse", "longpoll"]), {"sse": 1, "longpoll": 2}, [np.str_("sse"), "longpoll"]],
)  # fmt: skip
def test_modes_come_in_any_collection(modes):
    """A list, a tuple, an array, a generator, the keys of a dict: measured in their order."""
    found = modes_of(modes)
    assert found == ["sse", "longpoll"] and {type(mode) for mode in found} == {str}


def test_one_mode_all_modes_and_a_set():
    """One word is one technique, "all" is all, and a set has the catalogue's order."""
    assert modes_of("sse") == modes_of(np.str_("sse")) == ["sse"]
    assert (
        modes_of("all")
        == modes_of(MODES)
        == modes_of(set(MODES))
        == modes_of(frozenset(MODES))
        == list(MODES)
    )


@pytest.mark.parametrize("modes", [[], (), set(), iter(()), np.array([])])
def test_an_empty_collection_of_modes_is_refused(modes):
    """An empty collection is refused in a sentence."""
    with pytest.raises(BadParameter, match="nothing to measure"):
        lab.compare(modes)


@pytest.mark.parametrize("modes", [None, 3, ["sse", None], [["sse"]], b"sse", [b"sse"], "", "SEE", ["see"]])
def test_what_is_no_mode_is_refused(modes):
    """So is everything that names no technique."""
    with pytest.raises(BadParameter, match=r"[Tt]he mode|modes"):
        lab.compare(modes)


@pytest.mark.parametrize("call", [lab.measure, lab.predict])
@pytest.mark.parametrize("mode", ["all", "ssee", ["sse"], None, 3])
def test_one_technique_is_one_word(call, mode):
    """`measure` and `predict` take one word, and say which there are."""
    with pytest.raises(BadParameter, match="The mode must be one of shortpoll, "):
        call(mode)


def test_a_run_of_numpy_numbers_is_written_as_json(tmp_path):
    """A sweep over an array measures, and its record can be saved, loaded and compared."""
    sizes = np.arange(1, 3)
    runs = [
        lab.measure(np.str_("sse"), clients=sizes[1], rate=np.float32(5), duration=Decimal(1), seed=sizes[0])
    ]
    lab.save(runs, tmp_path / "r.json")
    assert lab.load(tmp_path / "r.json") == runs and runs[0].conditions["clients"] == 2


def test_every_condition_is_checked():
    """No field of the conditions goes unread."""
    with pytest.raises(BadParameter):
        known({"no": 1})
    for field in fields(Conditions):
        with pytest.raises(BadParameter, match=field.name):
            Conditions(**{field.name: object()})


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [(arguments.number, "1e3", 1000), (arguments.number, "20.0", 20), (arguments.number, "20", 20),
     (arguments.per_second, "2", 2), (arguments.per_second, "2/s", 2), (arguments.per_second, "30/m", 0.5),
     (arguments.seconds, "10", 10), (arguments.seconds, "500ms", 0.5), (arguments.seconds, "2m", 120),
     (arguments.seconds, "1h", 3600), (arguments.seconds, "1m30s", 90), (arguments.seconds, "1.5s", 1.5),
     (arguments.seconds, "1e1s", 10), (arguments.bits, "1Mbit", 1e6), (arguments.bits, "500kbit/s", 5e5)],
)  # fmt: skip
def test_values_of_the_command_line_are_read(reader, text, value):
    """Numbers, rates, durations and bandwidths as users write them."""
    assert reader(text) == value


@pytest.mark.parametrize(
    ("reader", "texts"),
    [(arguments.number, ["", "x", "nan", "inf", "-inf", "1,000", "9" * 5000, "1e999", "0x10", "3 clients"]),
     (arguments.per_second, ["", "/s", "1/x", "1/", "inf", "1/s/s"]),
     (arguments.seconds, ["", "s", "soon", "-5s", "5 s", "1m30", "30s1m", "1s1s", "inf", "nan", "٣s"]),
     (arguments.bits, ["", "wide", "-1", "inf", "1 Mbit", "1Tbit"])],
)  # fmt: skip
def test_what_the_command_line_cannot_read_is_refused(reader, texts):
    """Each in one sentence."""
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError):
            reader(text)


@pytest.mark.parametrize(
    "wrong",
    [["-c", "20.5"], ["-c", "-1"], ["-r", "inf"], ["-d", "-5s"], ["--seed", "-1"], ["--seed", "9" * 40],
     ["--payload", "0"], ["--rounds", "1.5"], ["--json", ""], ["--csv", ""], ["--json", "-", "--csv", "-"],
     ["--json", "x", "--csv", "./x"], ["--report", "-"], ["--csv", "/proc/x.csv"], ["--json", "x" * 300]],
)  # fmt: skip
def test_wrong_usage_is_reported_before_anything_runs(wrong, capsys):
    """Exit code 2, a sentence, and nothing measured or left behind."""
    assert main(["--mode", "sse", *wrong]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.splitlines()[-1].startswith("run_lab.py: ")
    assert not Path("x").exists()
