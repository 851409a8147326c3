"""The public functions show their parameters: names, types, defaults and units."""

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import lab
from lab.experiment.conditions import Conditions
from lab.experiment.parameters import MEANINGS, ConditionValues
from tests.support.lab_process import ROOT

NAMES = [field.name for field in fields(Conditions)]


def test_each_condition_has_a_type_and_a_meaning():
    """A new condition is completed by editors and described in notebooks, or this fails."""
    assert list(ConditionValues.__annotations__) == NAMES == list(MEANINGS)


@pytest.mark.parametrize(
    ("name", "without"), [("measure", {"rounds"}), ("predict", {"rounds"}), ("compare", set())]
)
def test_a_notebook_shows_the_conditions(name, without):
    """Shift-Tab shows each condition with its default, and what it is measured in."""
    function = getattr(lab, name)
    shown = inspect.signature(function).parameters
    named = {one.name: one.default for one in shown.values() if one.kind is one.KEYWORD_ONLY}
    assert named == {field.name: field.default for field in fields(Conditions) if field.name not in without}
    assert all(f"    {one}: {MEANINGS[one]}\n" in function.__doc__ for one in named)


def test_the_package_is_marked_as_typed():
    """Type checkers read the annotations of a package only if it has this file (PEP 561)."""
    assert (Path(lab.__file__).parent / "py.typed").exists()


def test_a_program_without_arguments_may_load_it():
    """A program that embeds Python may leave sys.argv empty; the public functions still load."""
    code = "import sys; sys.argv.clear(); import lab; lab.measure, lab.compare"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
