"""Open the notebooks in Jupyter, or say the one line that installs it."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from lab.errors import CannotStart
from lab.folders import NOTEBOOKS
from lab.languages import ENGLISH

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
    folder = folder_of(language)
    paths = [str(NOTEBOOKS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", program, str(folder)]
    with subprocess.Popen(command, cwd=folder, env=environment) as running:
        return _until_the_end(running)


def folder_of(language: str | None) -> Path:
    """The folder with the notebooks in this language; without them the English ones, and it says so."""
    folder = NOTEBOOKS / (language or ENGLISH)
    if folder.is_dir():
        return folder
    if language not in (None, ENGLISH):
        print(f"There are no notebooks for --language {language}; these are in English.", file=sys.stderr)
    return NOTEBOOKS


def _until_the_end(running: "subprocess.Popen[bytes]") -> int:
    """Wait; Ctrl-C reaches Jupyter too, and it asks whether to end."""
    while True:
        try:
            return running.wait()
        except KeyboardInterrupt:
            continue
