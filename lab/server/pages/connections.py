"""The page that opens event streams until the browser has no connection left, and shows what waits."""

from lab.server.pages.page import Page

MOST_STREAMS = 8
CURES = ("websocket", "leader", "worker", "host", "http2")
"""Texts of the page: what helps against the limit of six connections."""


class Connections(Page):
    """Six connections, and the seventh."""

    text_prefixes = ("connections.",)

    def get(self) -> None:
        """Send the page; its script opens the streams."""
        self.show("connections.html", most=MOST_STREAMS, cures=CURES)
