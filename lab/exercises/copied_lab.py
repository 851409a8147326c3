"""The student's copy of the lab, as the check of an added technique starts it."""

import tempfile
from dataclasses import replace
from typing import Any

from lab.exercises.steps import Trial

START_S = 30
"""A whole lab needs longer to listen than a program of one file."""


def copied_lab(trial: Trial, **settings: str) -> Any:
    """The program, with a folder for its copy of the lab, and with time to start it."""
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    trial.on_end(folder.cleanup)
    program: Any = trial.start(LAB_COPY=folder.name, **settings)
    program.limits = replace(program.limits, listen_s=START_S)
    return program
