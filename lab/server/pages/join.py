"""The first page, for the projector while a class arrives, and the QR code for phones."""

from lab.errors import NotFound
from lab.server.connections import base_path
from lab.server.lesson.lan import adapters, qr_code
from lab.server.pages.page import QUESTIONS, Page
from lab.techniques.endpoint import Endpoint


class Join(Page):
    """The first page."""

    text_prefixes = ("join.", *QUESTIONS)

    def get(self) -> None:
        """Send one card per technique; the QR code, or the button that lets phones join."""
        choices = adapters() if self.is_teacher else []
        proxied = base_path.proxied_url(self.request, self.context.settings)
        self.show("join.html", proxied=proxied, url=proxied or self.lesson.network.url, adapters=choices)


class QrCode(Endpoint):
    """The address for phones as a QR code."""

    content_type = "image/svg+xml"

    def get(self) -> None:
        """Send the QR code of the chosen address. Raises `NotFound` while phones cannot join."""
        proxied = base_path.proxied_url(self.request, self.context.settings)
        url = proxied or self.settings["lesson"].network.url
        if url is None:
            raise NotFound("Phones cannot join yet.")
        self.finish(qr_code(f"{url}room"))  # a scan opens the room at once
