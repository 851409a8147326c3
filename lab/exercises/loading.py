"""The file of a check: as a module, or only the names of its steps, for which it need not run."""

import ast
import importlib.util
from collections.abc import Iterator
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
    """The names of the steps of a check, in their order.

    They are read from a plain list of functions; only a check that computes its list is loaded, with
    everything that it imports.
    """
    tree = ast.parse(exercise.checks.read_text(encoding="utf-8"))
    listed, functions = listed_names(tree), set(function_names(tree))
    if listed and functions.issuperset(listed):
        return listed
    return tuple(step.__name__ for step in load(exercise.checks).STEPS)


def listed_names(tree: ast.Module) -> tuple[str, ...]:
    """The names in `STEPS = (…)`; "" for whatever is no name."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="STEPS")], value=ast.Tuple(elts=listed)):
                return tuple(one.id if isinstance(one, ast.Name) else "" for one in listed)
    return ()


def function_names(tree: ast.Module) -> Iterator[str]:
    """The names under which a file defines or imports functions, where these are the functions' own."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.decorator_list:
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if not alias.asname)


@cache
def known_steps() -> dict[str, tuple[str, ...]]:
    """The steps of each of the lab's own exercises; the files are read once."""
    return {name: step_names(exercise) for name, exercise in EXERCISES.items()}
