"""The page of the chat room, for one technique."""

from collections.abc import Callable, Iterator

from lab.catalogue import DEFAULT, MODES, TECHNIQUES
from lab.errors import BadParameter
from lab.server.pages.page import QUESTIONS, Page


class RoomPage(Page):
    """The chat room through one technique."""

    text_prefixes = ("room.", *QUESTIONS)

    def get(self) -> None:
        """Send the room for the technique in `mode`, else for the assigned one. Raises `BadParameter`."""
        self._show(self.lesson.assignment.next, self.lesson.arrivals)

    def head(self) -> None:
        """Respond as GET does, but assign no technique and use no number."""
        self._show(lambda: DEFAULT, iter([0]))

    def _show(self, assigned: Callable[[], str], numbers: Iterator[int]) -> None:
        chosen = self.get_query_argument("mode", "")
        if chosen and chosen not in TECHNIQUES:
            raise BadParameter(f"mode must be one of {', '.join(MODES)}.")
        mode = chosen or assigned()
        order = () if chosen else self.lesson.assignment.order(mode)
        self.show("room.html", mode=mode, order=order, guest=next(numbers))
