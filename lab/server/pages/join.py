"""The way in: the page that stands on the projector while a class arrives, and the code that phones scan."""

from lab.errors import NotFound
from lab.server.lesson.lan import adapters, qr_code
from lab.server.pages.page import Page
from lab.techniques.endpoint import Endpoint


class Join(Page):
    """The way in."""

    text_prefixes = ("join.", "bet.")

    def get(self) -> None:
        """One card per technique, each with its room; the code, or the button that lets phones join."""
        choices = adapters() if self.is_teacher else []
        self.show("join.html", network=self.lesson.network, adapters=choices)


class QrCode(Endpoint):
    """The address for phones as a picture."""

    content_type = "image/svg+xml"

    def get(self) -> None:
        """The code of the address that is chosen. Raises `NotFound` while phones cannot join."""
        url = self.settings["lesson"].network.url
        if url is None:
            raise NotFound("Phones cannot join yet.")
        self.finish(qr_code(f"{url}room"))  # whoever scans wants to be in the room at once
