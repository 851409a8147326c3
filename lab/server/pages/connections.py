"""The page that opens event streams until the browser has no connection left, and shows what waits."""

from lab.server.pages.page import Page

MOST_STREAMS = 8
CURES = ("plain", "websocket", "leader", "worker", "host", "http2")
"""What each tab can do: an event stream of its own, or one of the ways around the limit of six."""
TRIED = ("plain", "websocket", "leader", "worker")
"""Those that a button of the page tries."""


class Connections(Page):
    """Six connections, and the seventh."""

    text_prefixes = ("connections.",)

    def get(self) -> None:
        """Send the page; its script opens the streams."""
        self.show("connections.html", most=MOST_STREAMS, cures=CURES, tried=TRIED)
