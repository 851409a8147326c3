"""The log: one line per event, whatever strangers put into their requests, and no token in it."""

import logging
import re
import sys

SECRET = re.compile(r"(token=|Bearer )[\w-]+")
STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that end a line, steer a terminal or turn text around."""


class OneLine(logging.Formatter):
    """Writes what a record says on one line; only a traceback of the lab's own has more."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, with everything escaped that a terminal would obey."""
        return harmless(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        """The traceback, each of its lines made harmless too."""
        return "\n".join(map(harmless, super().formatException(ei).split("\n")))  # type: ignore[arg-type]


def harmless(text: str) -> str:
    """The same text without secrets, as one line that changes nothing on a terminal."""
    return STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", SECRET.sub(r"\1…", text))


def keep_log(level: str = "warning") -> None:
    """Write the log to stderr: Tornado's from this level on, everybody else's errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    logging.getLogger("tornado").setLevel(level.upper())
