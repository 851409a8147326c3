"""Open the notebooks in Jupyter, or say the one line that installs it."""

import os
import subprocess
import sys
from importlib.util import find_spec

from lab.errors import CannotStart
from lab.folders import NOTEBOOKS

PROGRAMS = ("notebook", "jupyterlab")
"""Programs that open notebooks, the preferred one first."""
INSTALL = "-m pip install notebook"


def open_notebooks(language: str | None) -> int:
    """Run Jupyter in the folder of the notebooks until it ends; returns its exit code.

    It runs in the Python of the lab, so `import lab` works there. Raises `CannotStart` without Jupyter.
    """
    program = next((name for name in PROGRAMS if find_spec(name)), None)
    if program is None:
        raise CannotStart(f"Jupyter is not installed. This line installs it: {sys.executable} {INSTALL}")
    folder = NOTEBOOKS / "zh" if language == "zh" else NOTEBOOKS
    paths = [str(NOTEBOOKS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", program, str(folder)]
    with subprocess.Popen(command, cwd=folder, env=environment) as running:
        return _until_the_end(running)


def _until_the_end(running: "subprocess.Popen[bytes]") -> int:
    """Wait; Ctrl-C reaches Jupyter too, and it asks whether to end."""
    while True:
        try:
            return running.wait()
        except KeyboardInterrupt:
            continue
