"""The file of a check as a module, and the names of the steps in it. Loading a check starts no program."""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from lab.exercises import EXERCISES, Exercise


def load(path: Path) -> Any:
    """The module in this file."""
    found = importlib.util.spec_from_file_location(f"pushlab_check_{path.stem}", path)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def step_names(exercise: Exercise) -> tuple[str, ...]:
    """The names of the steps of a check, in their order."""
    return tuple(step.__name__ for step in load(exercise.checks).STEPS)


@cache
def known_steps() -> dict[str, tuple[str, ...]]:
    """The steps of each of the lab's own exercises; the files are loaded once."""
    return {name: step_names(exercise) for name, exercise in EXERCISES.items()}
