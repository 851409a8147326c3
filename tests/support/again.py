"""Tests whose result depends on time by nature: they are repeated, and pytest counts each repetition."""

import pytest

IF_THE_LAB_STOOD_STILL = pytest.mark.flaky(reruns=2)
"""A proxy with a timeout of one or two seconds rightly cuts a lab that stood still so long.

The test promises what happens on a machine that does not stand still, so it has three tries. A fault of the
lab fails all three.
"""
