"""What a student's program prints: bounded, and of a traceback only the lines of the student's own file."""

import os
import re
import threading
from pathlib import Path
from typing import IO

KEPT_BYTES = 65_536
"""Of each stream the last bytes are kept, which have the last traceback."""
MOST_LINES = 6
LONGEST_LINE = 160
PLACE = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+)')
ERROR = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Warning|Closed\w*|Refused)\b.*")


class Printed:
    """The output of one stream. A thread reads it, so that the program never waits for its reader."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.size = 0
        self._kept = b""
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            while data := os.read(self._stream.fileno(), 65_536):
                self.size += len(data)
                self._kept = (self._kept + data)[-KEPT_BYTES:]

    def text(self, wait_s: float = 0.0) -> str:
        """What was kept, after at most so many seconds for the rest."""
        self._thread.join(wait_s)
        return self._kept.decode("utf-8", "replace")

    def lines(self) -> list[str]:
        """The lines that are whole."""
        return self.text().split("\n")[:-1]


def own_lines(text: str, path: Path) -> list[str]:
    """A traceback without the lines of other files: each of the student's lines, and the error at the end."""
    found, lines = list[str](), text.splitlines()
    for number, line in enumerate(lines):
        if place := PLACE.match(line):
            if os.path.basename(place["file"]) == path.name and number + 1 < len(lines):
                found.append(f"{path.name}:{place['line']}: {lines[number + 1].strip()}")
        elif ERROR.fullmatch(line):
            found.append(line)
    return [printable(line) for line in found[-MOST_LINES:]]


def printable(line: str) -> str:
    """One line without control characters, which could change the terminal."""
    clean = visible(line)
    return clean if len(clean) <= LONGEST_LINE else f"{clean[:LONGEST_LINE]}…"


def visible(text: str) -> str:
    """The text with a dot for each character that cannot be printed."""
    return "".join(character if character.isprintable() else "·" for character in text)
