"""The page that tests the way between this browser and the lab: eight checks, and one sentence."""

from tornado.websocket import WebSocketHandler

from lab.catalogue import PREFERENCE, TECHNIQUES, server_side
from lab.server.pages.page import Page

CHECKS = ("upgrade", "first", "apart", "silence", "head", "seventh", "lines", "clock")
EVENT_STREAM = "text/event-stream"


class Doctor(Page):
    """The checks of a network."""

    text_prefixes = ("doctor.",)

    def get(self) -> None:
        """Send the page; its scripts make the checks."""
        self.show("doctor.html", checks=CHECKS, needs={mode: need(mode) for mode in PREFERENCE})


def need(mode: str) -> str:
    """What a technique needs of a network: that it takes the upgrade, passes event streams or other
    streams at once, lets a connection be silent, or nothing of these.
    """
    _, handler = server_side(mode).ROUTES[0]
    if issubclass(handler, WebSocketHandler):
        return "upgrade"
    if handler.content_type.startswith(EVENT_STREAM):
        return "events"
    return {"stream": "lines", "wait": "silence"}.get(TECHNIQUES[mode].verb, "requests")
