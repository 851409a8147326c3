"""The compare page: a lane for each technique, all on one time axis."""

from typing import ClassVar

from lab.catalogue import DEFAULT, TECHNIQUES
from lab.server.pages.page import Page


class Compare(Page):
    """A lane for each technique, on one time axis."""

    text_prefixes = ("compare.", "demo.")
    keys: ClassVar[dict[str, str]] = {
        "Space": "compare.key.pause",
        "R": "compare.key.reset",
        "S": "compare.key.slow",
        "L": "compare.key.listen",
        f"1 – {len(TECHNIQUES)}": "compare.key.lane",
        "← → Enter": "compare.key.wire",
        "PgUp PgDn": "compare.key.next",
    }

    def get(self) -> None:
        """Send the page; its data come over `/live`."""
        self.show("compare.html", default=DEFAULT)
