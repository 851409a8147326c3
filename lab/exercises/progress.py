"""What a student has done so far: a file in the folder of the programs."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from lab.results.writing import write_whole

FILE = ".progress.json"


class Record(TypedDict):
    """What is kept of one exercise."""

    passed: bool
    tries: int
    hints: int


class Progress:
    """The records of all exercises of one folder. A file that cannot be read counts as empty."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._records: dict[str, Record] = {}
        with suppress(OSError, ValueError):
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self._records = {str(name): _record(value) for name, value in dict(found).items()}

    def of(self, name: str) -> Record:
        """The record of one exercise."""
        return self._records.get(name, _record({}))

    def add_try(self, name: str, passed: bool) -> None:
        """Count a check; an exercise that was passed once stays so."""
        old = self.of(name)
        self._keep(name, Record(passed=passed or old["passed"], tries=old["tries"] + 1, hints=old["hints"]))

    def add_hint(self, name: str, most: int) -> int:
        """Count a hint; returns its number, at most the last."""
        old = self.of(name)
        number = min(old["hints"] + 1, most)
        self._keep(name, Record(passed=old["passed"], tries=old["tries"], hints=number))
        return number

    def _keep(self, name: str, record: Record) -> None:
        self._records[name] = record
        if self._path.parent.is_dir():
            write_whole(self._path, json.dumps(self._records, indent=1).encode())


def _record(value: object) -> Record:
    """A record, whatever is in the file."""
    found = value if isinstance(value, dict) else {}
    counts = [n if isinstance(n := found.get(name), int) and n > 0 else 0 for name in ("tries", "hints")]
    return Record(passed=found.get("passed") is True, tries=counts[0], hints=counts[1])
