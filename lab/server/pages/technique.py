"""The page of one technique: dialogue, last exchange, claims with their figures, and the code that runs.

The code is read from the files that this lab runs, and highlighted here; the page brings no highlighter.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lab import folders
from lab.catalogue import TECHNIQUES, server_side
from lab.errors import BadParameter, NotFound
from lab.languages import catalogue
from lab.server.pages.dialogue import dialogue
from lab.server.pages.page import Page

if TYPE_CHECKING:  # loaded with the first page
    from markupsafe import Markup

PLAIN = re.compile(r'<span class="(?:n|nb|nn|nx|bp|p|w|o)">([^<]*)</span>')
"""Tokens in the colour of the text: names, brackets, spaces. Their spans would be a third of a page."""


class Source(NamedTuple):
    """One of a technique's three files: its side, its path in the lab, its lines with their colours.

    `differing` has the numbers, from 1, of the lines that the other technique's file does not have.
    """

    side: str
    path: str
    lines: "list[Markup]"
    differing: frozenset[int]


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

    text_prefixes = ("technique.last.", "lesson.show.conditions")

    def get(self, mode: str) -> None:
        """The page of a technique; with `with=<technique>` the lines that differ from it are marked.

        Raises `NotFound` for an unknown technique, `BadParameter` for an unknown one to compare with.
        """
        if mode not in TECHNIQUES:
            raise NotFound(f"There is no technique {mode}; there are {', '.join(TECHNIQUES)}.")
        other = self.other()
        self.show(
            "technique.html",
            technique=TECHNIQUES[mode],
            idea=self.idea(mode),
            parts=dialogue(TECHNIQUES[mode]),
            claims=[*self.claims(mode, "pro"), *self.claims(mode, "con")],
            sources=sources(mode, other),
            other=other,
        )

    def other(self) -> str:
        """The technique to compare with; empty without one. Raises `BadParameter` for an unknown one."""
        other = self.query("with")
        if other and other not in TECHNIQUES:
            raise BadParameter(f"with must be one of {', '.join(TECHNIQUES)}, or absent.")
        return other

    def idea(self, mode: str) -> str:
        """The idea in the texts; for a technique without texts, the first sentence of its own file."""
        key = f"technique.{mode}.idea"
        return self.text(key) if key in catalogue(self.language) else paragraphs(mode)[0]

    def claims(self, mode: str, kind: str) -> Iterator[Claim]:
        """The claims in the texts: `technique.<mode>.<pro or con>.<figure>`; `design` has no figure."""
        beginning = f"technique.{mode}.{kind}."
        for key in catalogue(self.language):
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


def sources(mode: str, other: str = "") -> list[Source]:
    """The technique's three files: on the server, in Python, in the browser."""
    others = files(other) if other else {}
    return [
        Source(side, shown(path), coloured(path, changed(path)), differing(path, others.get(side, path)))
        for side, path in files(mode).items()
    ]


def files(mode: str) -> dict[str, Path]:
    """The three files of a technique, by their side."""
    return {
        "server": folders.LAB / f"techniques/{mode}.py",
        "client": folders.LAB / f"clients/{mode}.py",
        "browser": folders.PAGES / f"static/techniques/{mode}.js",
    }


def shown(path: Path) -> str:
    """The path of a file from the folder of the lab or of its pages."""
    folder = next(one for one in (folders.LAB, folders.PAGES) if one in path.parents)
    return f"{folder.name}/{path.relative_to(folder).as_posix()}"


def changed(path: Path) -> int:
    """When a file was changed, in nanoseconds."""
    return path.stat().st_mtime_ns


def differing(path: Path, other: Path) -> frozenset[int]:
    """The numbers, from 1, of the lines of a file that the other file does not have in the same order."""
    if path == other:
        return frozenset()
    from difflib import SequenceMatcher

    theirs, own = (one.read_text(encoding="utf-8").splitlines() for one in (other, path))
    codes = SequenceMatcher(None, theirs, own, autojunk=False).get_opcodes()
    return frozenset(n + 1 for tag, _, _, start, end in codes if tag != "equal" for n in range(start, end))


@cache
def coloured(path: Path, changed: int) -> "list[Markup]":
    """The lines of a file as HTML, each token in a span with a class; cached until the file changes."""
    from markupsafe import Markup
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import JavascriptLexer, PythonLexer

    lexer = {".py": PythonLexer, ".js": JavascriptLexer}[path.suffix]()
    html = highlight(path.read_text(encoding="utf-8"), lexer, HtmlFormatter(nowrap=True))
    return [Markup(line) for line in PLAIN.sub(r"\1", html).splitlines()]
