"""Load matplotlib independent of the user's settings; imported before anything else of matplotlib.

A notebook passes its MPLBACKEND to the programs that it starts, and a folder may hold a matplotlibrc that
cannot be read: both end the import with an error, although the figures of the lab need neither.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from importlib import import_module
from tempfile import TemporaryDirectory
from types import ModuleType

BACKEND, SETTINGS = "MPLBACKEND", "MATPLOTLIBRC"


@contextmanager
def environment(**wanted: str | None) -> Iterator[None]:
    """The environment with these variables, or without them; afterwards it is as it was."""
    usual = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(usual)


def _set(wanted: dict[str, str | None]) -> None:
    for name, value in wanted.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings about folders that cannot be written, unknown settings, and the font cache."""
    log = logging.getLogger("matplotlib")
    usual = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(usual)


def load() -> None:
    """Load matplotlib, with the user's settings for the user's own figures, if they can be read.

    Raises `OSError` when there is no folder that matplotlib may write to.
    """
    backend = os.environ.get(BACKEND)
    with quiet(), environment(**{BACKEND: None}):
        try:
            matplotlib = import_module("matplotlib")
        except ValueError:  # a matplotlibrc that is not text
            with environment(**{SETTINGS: None, "MPLCONFIGDIR": None}):
                matplotlib = _alone()
        with suppress(ValueError):  # a missing backend matters only for figures on a screen
            if backend:
                matplotlib.rcParams["backend"] = backend
        import_module("matplotlib.font_manager")


def _alone() -> ModuleType:
    """Load it in an empty folder."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as empty, chdir(empty):
        os.environ |= {"MPLCONFIGDIR": empty}
        for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
            del sys.modules[name]  # left by the first attempt
        matplotlib = import_module("matplotlib")
        import_module("matplotlib.font_manager")
    return matplotlib


if "matplotlib" not in sys.modules:
    load()
