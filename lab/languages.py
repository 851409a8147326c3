"""The languages of the lab: each is one or more files in `pages/i18n/`, and needs no code.

A language is there when `pages/i18n/<tag>.json` is; `<part>.<tag>.json` are further parts of it. Both are
flat objects of key and text, where `{name}` is a place to be filled. A text that a language does not have,
or whose places differ, is shown in English. `python -m lab.languages` prints what a language does not have.
"""

import json
import locale
import os
import re
from functools import cache
from pathlib import Path
from string import Formatter

from lab.catalogue import TECHNIQUES
from lab.errors import CannotStart
from lab.folders import PAGES

FOLDER = PAGES / "i18n"
ENGLISH, CHINESE = "en", "zh-CN"
"""The lab's own languages: these two are complete, and figures can be in both at once."""
TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
"""The names of catalogues that are language tags (RFC 5646)."""
OWN_NAME = "language.name"
"""The key of a language's name in this language."""
PLURAL = re.compile(r"\.(zero|one|two|few|many)$")
"""Plural forms (CLDR): a language has those of its own; a script uses `.other` for one that is missing."""
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In this order they say which language a program should use (POSIX, section 8.2)."""

TAGS = tuple(
    sorted(
        (path.stem for path in FOLDER.glob("*.json") if TAG.fullmatch(path.stem)),
        key=lambda tag: (tag != ENGLISH, tag),
    )
)
"""The tags of the languages, English first."""


def short(tag: str) -> str:
    """The primary part of a tag: `zh` for `zh-CN`; options and lessons name languages by it."""
    return tag.strip().lower().partition("-")[0]


SHORTS = tuple(dict.fromkeys(map(short, TAGS)))
"""The languages as `--language` names them."""


def spoken(tag: str) -> str | None:
    """The language for a tag: this one, else the first with the same primary part; None without one."""
    wanted = tag.strip().lower()
    same = [one for one in TAGS if one.lower() == wanted]
    return next(iter([*same, *(one for one in TAGS if short(one) == short(wanted))]), None)


def system_language() -> str:
    """The language of the user's system, else English."""
    named = next((value for name in VARIABLES if (value := os.environ.get(name))), "")
    tag = re.split(r"[_.@]", (named or locale.getlocale()[0] or "").lower())[0]
    known = locale.locale_alias.get(tag.partition(" ")[0], tag)  # Windows says "Polish_Poland"
    return spoken("zh" if tag.startswith("chinese") else re.split(r"[_.@]", known)[0]) or ENGLISH


def read(path: Path) -> dict[str, str]:
    """The texts in a file. Raises `CannotStart`, with the line, for a file that is not JSON."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise CannotStart(f"{path.name}: line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except (OSError, ValueError) as error:
        raise CannotStart(f"{path.name} cannot be read: {error}.") from error
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: text for key, text in pairs if isinstance(text, str)}


@cache
def own(language: str) -> dict[str, str]:
    """The texts that a language has, by their keys. Raises `CannotStart` for a file that is not JSON."""
    texts = {f"title.{mode}": one.title for mode, one in TECHNIQUES.items() if language == ENGLISH}
    texts |= {f"title.{mode}": one.title_zh for mode, one in TECHNIQUES.items() if language == CHINESE}
    for path in sorted(FOLDER.glob("*.json")):
        if path.name == f"{language}.json" or path.name.endswith(f".{language}.json"):
            texts |= read(path)
    return texts


@cache
def catalogue(language: str) -> dict[str, str]:
    """Every text for one language, by its key: its own, else the English one."""
    english = own(ENGLISH)
    return english | {key: text for key, text in own(language).items() if fits(key, text, english)}


def fits(key: str, text: str, english: dict[str, str]) -> bool:
    """Whether a text can stand for the English one: the key is known, and the places are the same."""
    pattern = english.get(key, english.get(PLURAL.sub(".other", key)))
    is_empty = not text.strip() and not key.startswith("number.")  # a group may be a space
    return pattern is not None and not is_empty and places(text) == places(pattern)


def places(text: str) -> set[str] | None:
    """The names in braces; None where the braces are wrong."""
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError:
        return None


def missing(language: str) -> list[str]:
    """The keys whose text is shown in English, because the language has none that fits."""
    english, mine = own(ENGLISH), own(language)
    return [key for key in english if key not in mine or not fits(key, mine[key], english)]


def name(language: str) -> str:
    """What a language calls itself; without a name, its tag."""
    return own(language).get(OWN_NAME) or language


if __name__ == "__main__":
    for each in TAGS:
        lacking = missing(each)
        print(f"{each} ({name(each)}): {len(lacking)} of {len(own(ENGLISH))} texts are missing")
        print(*[f"  {key}\n" for key in lacking], sep="", end="")
