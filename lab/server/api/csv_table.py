"""A table about the class as a CSV file (RFC 4180), for the teacher's spreadsheet."""

import csv
import io
from collections.abc import Iterator
from typing import ClassVar

from lab.json_types import JsonObject
from lab.server.api.teacher import ForTeacher

FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula, also in the wide form."""
BOM = "\ufeff"
"""Without it Excel does not read UTF-8."""


class CsvTable(ForTeacher):
    """A handler that sends a table; a subclass has the name of its file, its columns and its rows."""

    content_type = "text/csv; charset=utf-8"
    filename: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    def rows(self) -> Iterator[JsonObject]:
        """The rows, each by the names of the columns."""
        raise NotImplementedError

    def get(self) -> None:
        """Send the file."""
        text = io.StringIO()
        table = csv.DictWriter(text, self.columns)
        table.writeheader()
        table.writerows(self.rows())
        self.set_header("Content-Disposition", f'attachment; filename="{self.filename}"')
        self.finish((BOM + text.getvalue()).encode())


def no_formula(text: str) -> str:
    """Text that a spreadsheet shows and does not compute: an apostrophe stands before it."""
    return f"'{text}" if text.startswith(FORMULA) else text
