"""The exercises by name: a program of the student's, graded by what it does on real sockets.

    python run_lab.py --exercise echo              # copies the start to my/echo.py, prints the task, checks
    lab.exercises.check("handshake", my_answer)    # the same check of a function, in a notebook

Adding one is one line here, `tasks/<name>.py`, `checks/<name>.py`, an answer in `tests/answers/` and its
texts in `pages/i18n/exercises.<language>.json`. Source text is never looked at.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple


class Exercise(NamedTuple):
    """One exercise: its name, the minutes that it usually needs, and where its files are."""

    name: str
    minutes: int
    functions: tuple[str, ...] = ()
    """The names of the functions in its start that a notebook can check."""
    folder: Path = Path(__file__).resolve().parent

    @property
    def start(self) -> Path:
        """The program that the student begins with."""
        return self.folder / "tasks" / f"{self.name}.py"

    @property
    def checks(self) -> Path:
        """The steps of its check."""
        return self.folder / "checks" / f"{self.name}.py"


EXERCISES = {
    exercise.name: exercise
    for exercise in (
        Exercise("mute", 10),
        Exercise("upgrade", 10),
        Exercise("handshake", 20, ("answer",)),
        Exercise("frame", 25, ("read_frame", "client_frame")),
        Exercise("echo", 15),
        Exercise("beijing", 15),
        Exercise("clock", 15),
        Exercise("history", 15),
        Exercise("leave", 15),
        Exercise("freeze", 15),
        Exercise("slow", 20),
        Exercise("poll", 25),
        Exercise("stream", 15, ("events",)),
        Exercise("resume", 25),
        Exercise("claims", 20),
        Exercise("eighth", 45),
    )
}


def check(name: str, *functions: Callable[..., Any], seed: int | None = None) -> bool:
    """Check functions of a notebook as `--exercise` checks a program, and print what was found.

    Returns whether all steps passed. Raises `BadParameter` for an exercise that does not check functions.
    """
    notebook = import_module(f"{__name__}.notebook")  # late: it uses this list, sockets and rich
    return bool(notebook.check_functions(name, functions, seed))
