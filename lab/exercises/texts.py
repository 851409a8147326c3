"""The texts of the exercises in English and Chinese, and the language of the user's system."""

import json
import locale
import os
from functools import cache
from pathlib import Path

from lab.exercises.mismatch import Said
from lab.folders import PAGES

ENGLISH, CHINESE = "en", "zh-CN"
LANGUAGES = {"en": ENGLISH, "zh": CHINESE}
"""What `--language` takes, and the catalogue that it means."""
PARTS = ("exercises", "class")
"""The files of texts that are about exercises."""
VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In this order they say which language a program should use (POSIX, section 8.2)."""


def system_language() -> str:
    """Chinese where the system is in Chinese, else English."""
    named = next((value for name in VARIABLES if (value := os.environ.get(name))), "")
    return (
        CHINESE if (named or locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else ENGLISH
    )


@cache
def catalogue(language: str, folder: Path) -> dict[str, str]:
    """The texts of the lab, about exercises and about reports, and of a teacher's own folder."""
    found: dict[str, str] = {}
    own = folder / f"exercises.{language}.json"
    for path in (*(PAGES / "i18n" / f"{part}.{language}.json" for part in PARTS), own):
        if path.is_file():
            found |= json.loads(path.read_text(encoding="utf-8"))
    return found


class Texts:
    """The texts of one exercise in one language."""

    def __init__(self, language: str, name: str = "", folder: Path = PAGES) -> None:
        self.language, self.name = language, name
        self._texts = catalogue(language, folder)

    def __call__(self, key: str, **values: object) -> str:
        """A text of this exercise, else one that all share; an unknown key is its own text."""
        for full in (f"exercises.{self.name}.{key}", f"exercises.{key}"):
            if full in self._texts:
                return self._texts[full].format(**values)
        return key

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return f"exercises.{self.name}.{key}" in self._texts

    def sentence(self, said: Said) -> str:
        """The sentence for a fault; a value that is a sentence itself is put into the same language."""
        return self(f"wrong.{said.key}", **said.values)
