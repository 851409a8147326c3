"""Check at each save, with single keys: hint, open the bytes, reset, next, quit."""

import os
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.exercises import Exercise
from lab.exercises.peer import END
from lab.exercises.session import DONE, NOT_YET, Session, begin, hint, reset
from lab.exercises.steps import Result
from lab.signals import like_ctrl_c

LOOK_S = 0.2
"""Seconds between two looks at the file."""
LAB = "http://127.0.0.1:8000"
MOST_BYTES = 1000
"""Bytes in the address of a page; browsers take more, terminals do not."""


def saved(path: Path) -> tuple[int, int]:
    """What changes when the file is saved."""
    with suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size
    return 0, 0


@contextmanager
def single_keys() -> Iterator[None]:
    """Within the block a key needs no Enter; at the end the terminal is as before."""
    if os.name != "posix" or not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def key() -> str:
    """The key that is pressed within a moment; empty when none is. `q` at the end of the input."""
    if sys.platform == "win32":
        import msvcrt

        time.sleep(LOOK_S)
        return msvcrt.getwch().lower() if msvcrt.kbhit() else ""
    import select

    try:
        ready = select.select([sys.stdin], [], [], LOOK_S)[0]
    except (OSError, ValueError):  # standard input is closed
        time.sleep(LOOK_S)
        return ""
    return (os.read(sys.stdin.fileno(), 1).decode("ascii", "replace").lower() or "q") if ready else ""


def watch(session: Session, exercise: Exercise) -> int:
    """Check until the user quits; returns whether the last check passed, as an exit code."""
    with like_ctrl_c(), single_keys():
        return Watch(session, exercise).run()


class Watch:
    """The exercise that is watched, and its last result."""

    def __init__(self, session: Session, exercise: Exercise) -> None:
        self.session, self.exercise = session, exercise
        self.result: Result | None = None

    def run(self) -> int:
        """Check, then wait for a save or a key, until `q`."""
        actions = {"h": self.hint, "w": self.open_bytes, "r": self.reset, "n": self.next}
        while True:
            before = saved(self.session.path(self.exercise))
            self.result = self.session.check(self.exercise)
            self.session.show(self.result)
            self.session.screen.line(self._text("keys"), "dim")
            while saved(self.session.path(self.exercise)) == before:
                if (pressed := key()) == "q":
                    return DONE if self.result.done else NOT_YET
                if pressed in actions and actions[pressed]():
                    break

    def _text(self, name: str, **values: object) -> str:
        return self.session.texts(self.exercise.name)(name, **values)

    def hint(self) -> bool:
        """Print the next hint."""
        hint(self.session, self.exercise)
        return False

    def reset(self) -> bool:
        """Begin again, after a question."""
        self.session.screen.line(self._text("ask_reset", path=self.session.path(self.exercise)))
        while not (pressed := key()):
            pass
        if pressed == "y":
            reset(self.session, self.exercise)
        return pressed == "y"

    def next(self) -> bool:
        """Go on with the next exercise that is not done."""
        names = list(self.session.exercises)
        place = names.index(self.exercise.name)
        later = [*names[place + 1 :], *names[:place]]
        open_ones = [name for name in later if not self.session.progress.of(name)["passed"]]
        if not open_ones:
            self.session.screen.line(self._text("all_passed"))
            return False
        self.exercise = self.session.exercises[open_ones[0]]
        begin(self.session, self.exercise)
        return True

    def open_bytes(self) -> bool:
        """Open the bytes that the program sent last in `/anatomy` of a running lab."""
        failure = self.result and self.result.failure
        data = b"".join(part.data for part in failure.parts if not part.came) if failure else b""
        data = data[data.rfind(END) + len(END) :] if END in data and not data.endswith(END) else data
        if data:
            address = f"{self.session.lab or LAB}/anatomy#{data[:MOST_BYTES].hex()}"
            self.session.screen.console.print(address, soft_wrap=True, highlight=False)
            with suppress(webbrowser.Error):
                webbrowser.open(address)
        else:
            self.session.screen.line(self._text("no_bytes"))
        return False
