"""The lab is hurt while people listen and speak: whatever happens, nothing is lost, doubled or left unsaid.

A short selection, with two guests of each technique; `python -m tests.faults` is the whole of it.
"""

import asyncio

import pytest

from tests.faults.__main__ import missing, row
from tests.faults.faults import FAULTS
from tests.faults.scene import SHORT, play
from tests.faults.soak import soak, table

REDIS = ("F1", "F2", "F3a", "F5a", "F6a", "F6c", "F6d", "F18")
LAB = ("F7", "F8")
READERS = ("F11a", "F12", "F14", "F15", "F16")
HERE = (*REDIS, *LAB, *READERS, "F22")
SEED = 7

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.timeout(200)]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.id in HERE], ids=lambda fault: fault.id)
def test_a_fault_does_no_harm(fault):
    """The checker finds nothing, and what the fault's own docstring promises holds."""
    if lacking := missing(fault):
        pytest.skip(lacking)
    outcome = asyncio.run(play(fault, SHORT, SEED))
    assert outcome.passed, row(outcome)
    assert outcome.counts["recv"] and outcome.counts["ack"]


def test_the_list_has_what_is_played_here():
    """No fault is left out of the tests by a misspelt name."""
    assert set(HERE) <= {fault.id for fault in FAULTS}


def test_nothing_remains_of_those_who_left():
    """Some stay, some come and go, then all leave: tasks, files and readers are exactly as before."""
    soaked = asyncio.run(soak(6, steady=18, joins=10, rate=5, visit_s=(0.2, 2.0), hurt_s=None))
    assert soaked.passed, table(soaked)
    assert soaked.visits > 40 and soaked.heard > 200
