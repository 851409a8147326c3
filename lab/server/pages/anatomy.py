"""The anatomy page: every byte of every technique, six tools, and what this lab does with wrong frames."""

from typing import ClassVar

from lab.anatomy.forbidden import FORBIDDEN
from lab.server.pages.page import Page

TOOLS = ("accept", "length", "mask", "fragments", "deflate", "close")
"""Each has its script in `pages/static/anatomy/tools/` and its texts."""
VARIANTS = ("shortpoll:send", "websocket:binary", "websocket:fresh", "websocket:kept")
"""Further recordings: a technique, and what is different in it."""
SHEETS = ("exchange", "wires", *TOOLS, "break", "duplex")


class Anatomy(Page):
    """The page with the bytes of every technique."""

    text_prefixes = ("compare.failed",)
    keys: ClassVar[dict[str, str]] = {
        "↑ ↓": "anatomy.key.unit",
        "← →": "anatomy.key.field",
        "N": "anatomy.key.reveal",
    }

    def get(self) -> None:
        """Send the page; its data come from `/anatomy/…`, `/wire` and `/live`."""
        self.show("anatomy.html", forbidden=FORBIDDEN, tools=TOOLS, variants=VARIANTS, sheets=SHEETS)
