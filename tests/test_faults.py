"""Faults happen while clients listen and send: nothing is lost, doubled or left unreported.

A short selection, with two listeners of each technique; `python -m tests.faults` is the whole of it.
"""

import asyncio
from dataclasses import replace

import pytest

from lab.catalogue import MODES
from tests.faults.__main__ import row
from tests.faults.counts import FIGURES, Count, differences
from tests.faults.faults import FAULTS, fits, mixture
from tests.faults.loads import LOADS, scale
from tests.faults.scene import SHORT, play
from tests.faults.soak import soak, table

REDIS = ("F1", "F2", "F3a", "F5a", "F6a", "F6c", "F6d", "F18")
LAB = ("F7", "F8")
READERS = ("F11a", "F12", "F14", "F15", "F16")
HERE = (*REDIS, *LAB, *READERS, "F22a")
SEED = 7

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.timeout(200)]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.id in HERE], ids=lambda fault: fault.id)
def test_a_fault_does_no_harm(fault):
    """The checker finds nothing, and what the fault's own docstring promises holds."""
    if fault.lacking:
        pytest.skip(fault.lacking)
    outcome = asyncio.run(play(fault, SHORT, SEED))
    assert outcome.passed, row(outcome)
    assert outcome.counts["recv"] and outcome.counts["ack"]


@pytest.mark.parametrize(
    "load", [load for load in LOADS if load.id in ("L1", "L6")], ids=lambda load: load.id
)
def test_a_load_is_borne(load):
    """A class for 5 seconds, and a burst: no violation, and the lab counted exactly what its clients did."""
    outcome = asyncio.run(play(load, scale(load, short=True), SEED))
    assert outcome.passed, row(outcome)


def test_a_miscount_is_noticed():
    """Each figure in which the lab and its clients differ is reported; none when they agree."""
    nothing = {mode: {way: dict.fromkeys(FIGURES, 0) for way in ("receive", "send")} for mode in MODES}
    counts = {(mode, way): Count() for mode in MODES for way in ("receive", "send")}
    assert not list(differences(nothing, nothing, counts))
    for name in FIGURES:
        counts["sse", "send"] = replace(Count(), **{name: 1})
        assert list(differences(nothing, nothing, counts)) == [
            f"sse send: the lab counted 0 {name}, its clients 1"
        ]


def test_the_list_has_what_is_played_here():
    """No fault is left out of the tests by a misspelt name."""
    assert set(HERE) <= {fault.id for fault in FAULTS}


def test_the_mixtures_leave_nothing_out():
    """All is in one of them but what needs another network or a lab of its own."""
    stages = [fault for fault in FAULTS if fault.do is mixture]
    drawn = {fault.id for fault in FAULTS if any(fits(fault, stage) for stage in stages)}
    assert {fault.id for fault in FAULTS} - drawn == {"F9", "F20a", "F21", *(fault.id for fault in stages)}


def test_nothing_remains_of_clients_that_left():
    """Some stay, some come and go, then all leave: tasks, files and readers are exactly as before."""
    soaked = asyncio.run(soak(6, steady=18, joins=10, rate=5, visit_s=(0.2, 2.0), hurt_s=None))
    assert soaked.passed, table(soaked)
    assert soaked.visits > 10 and soaked.received > 10, "a busy machine has fewer, and some there must be"
