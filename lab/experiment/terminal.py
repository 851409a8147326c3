"""The three standard streams: how wide the terminal is, and what to do when one of them is closed or full."""

import os
import sys
from contextlib import suppress
from typing import IO, Any

from lab.program import NAME

USUAL_COLUMNS = 80
MOST_COLUMNS = 10_000


def columns(stream: Any) -> int:
    """The number of columns of a stream's terminal: `COLUMNS`, else the system's value, else 80.

    A terminal that reports 0 does not know its width; it counts as 80, as a file or a pipe does.
    """
    named = os.environ.get("COLUMNS", "")
    if named.isascii() and named.isdigit() and int(named[:9]):
        return min(int(named[:9]), MOST_COLUMNS)
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_COLUMNS
    except (AttributeError, OSError, ValueError):
        return USUAL_COLUMNS


def open_standard_streams() -> bool:
    """Open the null device for each closed standard stream; returns whether standard output was open.

    A closed one (`>&-`) leaves its number free, and the next socket or file would get it: then the output of
    a child process would go into that socket.
    """
    was_open = sys.stdout is not None
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):  # an opened file gets the lowest free number: this one
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    return was_open


def emptied(stream: IO[str]) -> OSError | None:
    """Flush a stream. Returns the error if that fails, and drops the rest.

    Otherwise Python would try again at its end, complain, and exit with code 120.
    """
    try:
        stream.flush()
    except OSError as error:
        with suppress(OSError, ValueError):  # a stream without a file of the system's
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None


def complain(sentence: object) -> None:
    """Print an error on standard error; if that cannot be written, nothing happens."""
    with suppress(OSError, ValueError):
        print(f"{NAME}: {sentence}", file=sys.stderr, flush=True)


class Lossy:
    """A stream whose write errors are ignored: what cannot be written is dropped."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write, if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The number of its file."""
        return self._stream.fileno()
