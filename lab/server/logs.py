"""The log: one line per event, whatever a request contains, and without tokens."""

import logging
import re
import sys
import time
from collections import Counter
from contextlib import suppress

SECRET = re.compile(r"(token=|Bearer )[\w-]+")
STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that end a line, control a terminal or change the direction of text."""
QUIET_S = 1.0
"""Seconds after a warning during which further warnings of the same line of code are not written."""


class OneLine(logging.Formatter):
    """Formats a record as one line; only a traceback has more."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, with control characters escaped."""
        return harmless(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        """The traceback, with control characters escaped in each line."""
        text = super().formatException(ei)  # type: ignore[arg-type]  # the type in logging is private
        return "\n".join(map(harmless, text.split("\n")))


class OnceASecond(logging.Filter):
    """Passes one warning of a kind per second, so that no client can fill the log.

    The next one has the number of those left out. All errors are written.
    """

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[tuple[str, int], float] = {}
        self._left_out: Counter[tuple[str, int]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        if record.levelno != logging.WARNING:
            return True
        kind, now = (record.pathname, record.lineno), time.monotonic()
        if now - self._written.get(kind, -QUIET_S) < QUIET_S:
            self._left_out[kind] += 1
            return False
        self._written[kind] = now
        if more := self._left_out.pop(kind, 0):
            record.msg = f"{record.msg} (and {more} more like this)"
        return True


def harmless(text: str) -> str:
    """The text as one line, without secrets and with control characters escaped."""
    return STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", SECRET.sub(r"\1…", text))


def keep_log(level: str = "warning") -> None:
    """Write the log to stderr: the lab's and Tornado's from this level on, of all others the errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(levelname)s %(message)s"))
    handler.addFilter(OnceASecond())
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    for name in ("tornado", "pushlab"):
        logging.getLogger(name).setLevel(level.upper())


def show(text: str) -> None:
    """Print, if standard output is open: the lab also runs after its terminal was closed."""
    with suppress(OSError, ValueError):
        print(text, flush=True)
