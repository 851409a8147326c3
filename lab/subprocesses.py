"""Modules of the lab as separate processes, which import modules from the same places as this process.

Never from the current folder: `python -m` would load a student's `redis.py` there instead of the package. So
each is started by this very file, with `-P` (no folder is added to the search path) and a clean `PYTHONPATH`.
"""

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
"""The folder that holds the lab."""
PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux."""


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of the lab."""
    return [sys.executable, "-P", os.path.abspath(__file__), module, *arguments]


def environment() -> dict[str, str]:
    """The environment of such a process. Under `python -E` it holds no other setting for Python."""
    ours = sys.flags.ignore_environment
    kept = {name: value for name, value in os.environ.items() if not (ours and name.startswith("PYTHON"))}
    return kept | {"PYTHONPATH": os.pathsep.join(search_path())}


def search_path() -> list[str]:
    """Where this process looks for modules, without the current folder, unless the lab itself lies there."""
    here = current_folder()
    places = [os.path.join(here, place) for place in sys.path]
    return [place for place in places if os.path.isabs(place) and _is_apart(place, here)]


def _is_apart(place: str, here: str) -> bool:
    return os.path.realpath(place) == ROOT or os.path.realpath(place) != here


def current_folder() -> str:
    """The current folder; an empty name when it has been deleted."""
    try:
        return os.path.realpath(os.curdir)
    except FileNotFoundError:
        return ""


def wait_or_kill(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Wait for a process that was asked to end; kill it after so many seconds."""
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ends_with_this() -> Callable[[], object] | None:
    """What a new process does first to be ended by SIGTERM when the thread that starts it ends, however it
    ends; None where the system has no such thing (not Linux: prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform != "linux":
        return None
    import ctypes

    return partial(ctypes.CDLL(None).prctl, PARENT_DEATH_SIGNAL, int(signal.SIGTERM))


def main() -> None:
    """Run the module named first on the command line, as `python -m` would."""
    if ROOT not in sys.path:  # its name holds the character that separates folders in PYTHONPATH
        sys.path.insert(0, ROOT)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
