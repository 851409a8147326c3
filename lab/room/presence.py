"""Who is here: clients by the id that they gave themselves, right also for those who only come and ask.

Counts nobody who gave no id, and influences nothing else.
"""

from dataclasses import dataclass

POLL_GRACE_S = 5.0
"""A client that polls is here while it comes back within this time."""
HIDDEN_GRACE_S = 90.0
"""The same for one in the background, whose timers browsers let run once a minute."""


@dataclass
class Guest:
    """Somebody in the room: the name, the technique, open requests and when the last one ended."""

    username: str
    word: str
    held: int = 0
    seen: float = 0.0
    hidden: bool = False
    """The page is in the background, where browsers slow it down: its times say nothing."""

    def is_here(self, now: float) -> bool:
        """Whether a request is open, or the last one is not long ago."""
        return bool(self.held) or now - self.seen < (HIDDEN_GRACE_S if self.hidden else POLL_GRACE_S)


class Presence:
    """The guest list of one room."""

    def __init__(self) -> None:
        self._guests: dict[str, Guest] = {}

    def enter(self, client: str, username: str, word: str, now: float) -> None:
        """A receive request of this client began, at `now` (seconds on a monotonic clock)."""
        guest = self._guests.setdefault(client, Guest(username, word))
        guest.username, guest.word, guest.seen = username or guest.username, word, now
        guest.held += 1

    def leave(self, client: str, now: float) -> None:
        """The request ended; the client counts as here for a little longer."""
        guest = self._guests[client]
        guest.held -= 1
        guest.seen = now

    def hide(self, client: str, hidden: bool) -> None:
        """The client's page went into the background, or came back."""
        if client in self._guests:
            self._guests[client].hidden = hidden

    def hidden(self, client: str) -> bool:
        """Whether this client's page is in the background."""
        return client in self._guests and self._guests[client].hidden

    def here(self, now: float) -> list[dict[str, str | bool]]:
        """Everyone here: `{"client", "username", "mode"}` each, `"hidden"` too for who is; not who left."""
        self._guests = {client: guest for client, guest in self._guests.items() if guest.is_here(now)}
        return [
            {"client": client, "username": guest.username, "mode": guest.word}
            | ({"hidden": True} if guest.hidden else {})
            for client, guest in self._guests.items()
        ]
