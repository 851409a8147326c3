"""The chat room, by one technique."""

from collections.abc import Iterator

from lab.catalogue import DEFAULT, MODES, TECHNIQUES
from lab.errors import BadParameter
from lab.server.pages.page import Page


class RoomPage(Page):
    """The chat room through one technique."""

    text_prefixes = ("room.", "bet.")

    def get(self) -> None:
        """The room; `mode` says by which technique, else the teacher does. Raises `BadParameter`."""
        self._show(self.get_query_argument("mode", "") or self.lesson.assignment.next(), self.lesson.arrivals)

    def head(self) -> None:
        """The same for who does not come in: nothing is assigned, and no number is used up."""
        self._show(self.get_query_argument("mode", "") or DEFAULT, iter([0]))

    def _show(self, mode: str, numbers: Iterator[int]) -> None:
        if mode not in TECHNIQUES:
            raise BadParameter(f"mode is one of {', '.join(MODES)}.")
        self.show("room.html", mode=mode, guest=next(numbers))
