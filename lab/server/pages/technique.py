"""The page of one technique: idea, last exchange, claims with their figures, and the code that is running.

The code is read from the files that this lab runs, and highlighted here; the page brings no highlighter.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import JavascriptLexer, PythonLexer

from lab import folders
from lab.catalogue import TECHNIQUES, server_side
from lab.errors import NotFound
from lab.server.pages import i18n
from lab.server.pages.page import Page

PLAIN = re.compile(r'<span class="(?:n|nb|nn|nx|bp|p|w|o)">([^<]*)</span>')
"""Tokens in the colour of the text: names, brackets, spaces. Their spans would be a third of a page."""
LEXERS: dict[str, type[Lexer]] = {".py": PythonLexer, ".js": JavascriptLexer}


class Source(NamedTuple):
    """One of a technique's three files: its side, its path in the lab, its lines with their colours."""

    side: str
    path: str
    lines: list[Markup]


class Claim(NamedTuple):
    """An advantage or drawback of a technique, and the figure that shows it.

    A claim with a limit holds while the figure is `at_most` that; above, `otherwise` is shown.
    """

    kind: str
    figure: str
    words: str
    at_most: float | None
    otherwise: str


class TechniquePage(Page):
    """One technique: idea, last exchange, claims with their figures, code."""

    text_prefixes = ("technique.last.",)

    def get(self, mode: str) -> None:
        """The page of a technique. Raises `NotFound` for an unknown one."""
        if mode not in TECHNIQUES:
            raise NotFound(f"There is no technique {mode}; there are {', '.join(TECHNIQUES)}.")
        self.show(
            "technique.html",
            technique=TECHNIQUES[mode],
            idea=self.idea(mode),
            claims=[*self.claims(mode, "pro"), *self.claims(mode, "con")],
            sources=sources(mode),
        )

    def idea(self, mode: str) -> str:
        """The idea in the texts; for a technique without texts, the first sentence of its own file."""
        key = f"technique.{mode}.idea"
        return self.text(key) if key in i18n.catalogue(self.language) else paragraphs(mode)[0]

    def claims(self, mode: str, kind: str) -> Iterator[Claim]:
        """The claims in the texts: `technique.<mode>.<pro or con>.<figure>`; `design` has no figure."""
        beginning = f"technique.{mode}.{kind}."
        for key in i18n.catalogue(self.language):
            if key.startswith(beginning):
                figure = key.removeprefix(beginning)
                at_most = limits().get(key.removeprefix("technique."))
                yield Claim(kind, figure, self.text(key), at_most, self.otherwise(figure, at_most))

    def otherwise(self, figure: str, at_most: float | None) -> str:
        """The text for meters that contradict a claim; empty for a claim without a limit."""
        if at_most is None:
            return ""
        return self.text(f"technique.not.{figure}", limit_ms=f"{1000 * at_most:g}")


@cache
def limits() -> dict[str, float]:
    """The limit of each claim about an amount, from `pages/claims.json`."""
    found: dict[str, float] = json.loads((folders.PAGES / "claims.json").read_text(encoding="utf-8"))
    return found


def paragraphs(mode: str) -> list[str]:
    """The paragraphs of the docstring of the technique's server file."""
    return (server_side(mode).__doc__ or "").split("\n\n")


def sources(mode: str) -> list[Source]:
    """The technique's three files: on the server, in Python, in the browser."""
    files = {
        "server": (folders.LAB, f"techniques/{mode}.py"),
        "client": (folders.LAB, f"clients/{mode}.py"),
        "browser": (folders.PAGES, f"static/techniques/{mode}.js"),
    }
    return [
        Source(side, f"{folder.name}/{path}", coloured(folder / path, (folder / path).stat().st_mtime_ns))
        for side, (folder, path) in files.items()
    ]


@cache
def coloured(path: Path, changed: int) -> list[Markup]:
    """The lines of a file as HTML, each token in a span with a class; cached until the file changes."""
    lexer = LEXERS[path.suffix]()
    html = highlight(path.read_text(encoding="utf-8"), lexer, HtmlFormatter(nowrap=True))
    return [Markup(line) for line in PLAIN.sub(r"\1", html).splitlines()]
