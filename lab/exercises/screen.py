"""Lines of text on a terminal of at most 80 columns, where a Chinese character is two columns wide."""

import re
import sys
from collections.abc import Iterable, Iterator

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lab.exercises.transcript import COLUMNS, Line, plain

PIECES = re.compile(r"\s+|[⺀-〿㐀-鿿＀-￯][、。，；：！？）」』”]*|[^\s⺀-〿㐀-鿿＀-￯]+[、。，；：！？）」』”]*")
"""Between two pieces a line may end: at a space, or behind a Chinese character and what closes it."""
CODE = "    "
"""A line that begins with four spaces is printed as it is."""


def wrapped(text: str, width: int, indent: int = 0) -> Iterator[str]:
    """The text as lines of at most so many columns; all but the first are indented."""
    row = ""
    for piece in PIECES.findall(text):
        if row.strip() and cell_len(row + piece.rstrip()) > width:
            yield row.rstrip()
            row = " " * indent + piece.lstrip()
        else:
            row += piece
    yield row.rstrip()


class Screen:
    """A console that wraps each line, and indents what does not fit on the first."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = min(COLUMNS, console.width)
        self._encoding = getattr(console.file, "encoding", None) or "utf-8"

    def show(self, lines: Iterable[Line]) -> None:
        """Print these lines."""
        for line in lines:
            self.line(line.text, line.style, line.indent)

    def line(self, text: str = "", style: str = "", indent: int = 0) -> None:
        """Print one line, as several where it is too long."""
        for row in wrapped(plain(text, self._encoding), self.width, indent):
            self.console.print(Text(row, style), soft_wrap=True)

    def paragraphs(self, text: str) -> None:
        """Print paragraphs; lines of code stay as they are."""
        for line in text.split("\n"):
            if line.startswith(CODE):
                self.console.print(Text(plain(line, self._encoding), "cyan"), soft_wrap=True)
            else:
                self.line(line)


def new_screen(no_color: bool = False) -> Screen:
    """The screen of standard output."""
    return Screen(Console(file=sys.stdout, no_color=no_color or None, highlight=False))
