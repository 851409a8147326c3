"""The texts of the exercises in one language: those of the lab, and of a teacher's own folder."""

from functools import cache
from pathlib import Path

from lab import languages
from lab.exercises.mismatch import Said
from lab.folders import PAGES


@cache
def catalogue(language: str, folder: Path) -> dict[str, str]:
    """The texts of the lab, and of a teacher's own folder: in English what is in no other language."""
    found = languages.catalogue(language)
    for tag in dict.fromkeys((languages.ENGLISH, language)):
        path = folder / f"exercises.{tag}.json"
        found = found | (languages.read(path) if path.is_file() else {})
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
