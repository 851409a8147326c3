"""Functions of a notebook, served by the program that the exercise begins with, and checked like one."""

import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.errors import BadParameter
from lab.exercises import EXERCISES
from lab.exercises.limits import Limits
from lab.exercises.loading import load
from lab.exercises.mismatch import Said
from lab.exercises.screen import Screen
from lab.exercises.steps import Trial, drawn_seed, run
from lab.exercises.texts import Texts
from lab.exercises.transcript import result_lines
from lab.languages import system_language

HOST = "127.0.0.1"
CAUGHT_S = 0.5


class Served:
    """The start of an exercise with other functions in it, in threads of this process."""

    exit_code = None

    def __init__(self, start: Path, functions: dict[str, Callable[..., Any]]) -> None:
        self._module = load(start)
        for name, function in functions.items():
            setattr(self._module, name, function)
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._lines: list[str] = []
        self._last: threading.Thread | None = None
        """Serves the newest connection."""
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:  # `end` has closed it
                return
            self._last = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._last.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._module.serve(connection)
            except OSError:  # the check has closed its side
                pass
            except Exception as error:  # whatever the student's function raises is shown
                self._lines = self._lines or own_lines(error)

    def connect(self, patience_s: float) -> socket.socket:
        """A connection to it."""
        return socket.create_connection((HOST, self.port), timeout=patience_s)

    def trouble(self) -> Said | None:
        """What it did wrong besides its responses: nothing is known."""
        return None

    def own_lines(self) -> list[str]:
        """The lines of a function that raised; its error may close the connection before it is caught."""
        if self._last and not self._lines:
            self._last.join(CAUGHT_S)
        return self._lines

    def errors(self) -> str:
        """What it wrote on standard error: nothing is known."""
        return ""

    def end(self) -> None:
        """Stop listening."""
        self._listener.close()


def own_lines(error: Exception) -> list[str]:
    """The lines of a notebook in a traceback, and the error."""
    lab = str(Path(__file__).parent)
    stack = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in stack if not frame.filename.startswith(lab)]
    places = [f"{frame.name}, line {frame.lineno}: {frame.line}" for frame in frames]
    return [*places[-3:], f"{type(error).__name__}: {error}"]


def check_functions(name: str, functions: tuple[Callable[..., Any], ...], seed: int | None = None) -> bool:
    """Check these functions and print the result. Raises `BadParameter`."""
    exercise = EXERCISES.get(name)
    if not exercise or not exercise.functions:
        known = ", ".join(one.name for one in EXERCISES.values() if one.functions)
        raise BadParameter(f"There is no exercise {name!r} for functions; there are {known}.")
    if len(functions) != len(exercise.functions):
        wanted = ", ".join(exercise.functions)
        raise BadParameter(f"The exercise {name} checks {wanted}: pass them in this order.")
    named = dict(zip(exercise.functions, functions, strict=True))
    drawn = drawn_seed(seed)
    result = run(exercise, Trial(lambda limits, settings: Served(exercise.start, named), drawn, Limits()))
    console = Console(file=sys.stdout, highlight=False, force_jupyter=False)  # one output, not one a line
    Screen(console).show(result_lines(result, Texts(system_language(), name)))
    return result.done
