"""Presence: which clients are in the room, by the id that each chose; polling clients are included.

A client without an id is not counted. Presence changes nothing else in the lab.
"""

from dataclasses import dataclass

POLL_GRACE_S = 5.0
"""Seconds after its last request for which a polling client is present."""
HIDDEN_GRACE_S = 90.0
"""The same for a page in the background, whose timers a browser runs only once a minute."""


@dataclass
class User:
    """A user in the room: name, technique, number of open requests and when the last one ended."""

    username: str
    mode: str
    open_requests: int = 0
    seen: float = 0.0


class Presence:
    """The presence of one room: all its users by client id."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        """The users by client id; `here` removes those that have left."""
        self.hidden: set[str] = set()
        """Clients whose page is in the background, where browsers delay timers: their delays are not
        measured."""

    def enter(self, client: str, username: str, mode: str, now: float) -> None:
        """A receive request of this client began, at `now` (seconds on a monotonic clock)."""
        user = self.users.setdefault(client, User(username, mode))
        user.username, user.mode, user.seen = username or user.username, mode, now
        user.open_requests += 1

    def leave(self, client: str, now: float) -> None:
        """The request ended; the client is still present for a few seconds."""
        user = self.users[client]
        user.open_requests -= 1
        user.seen = now

    def hide(self, client: str, hidden: bool) -> None:
        """The client's page went into the background, or returned."""
        if hidden and client in self.users:
            self.hidden.add(client)
        else:
            self.hidden.discard(client)

    def _is_here(self, client: str, now: float) -> bool:
        """Whether a request is open, or the last one is not long ago."""
        user, grace = self.users[client], HIDDEN_GRACE_S if client in self.hidden else POLL_GRACE_S
        return bool(user.open_requests) or now - user.seen < grace

    def here(self, now: float) -> list[dict[str, str | bool]]:
        """All present users: `{"client", "username", "mode"}` each, and `"hidden"` for a page in the
        background."""
        self.users = {client: user for client, user in self.users.items() if self._is_here(client, now)}
        self.hidden &= self.users.keys()
        return [
            {"client": client, "username": user.username, "mode": user.mode}
            | ({"hidden": True} if client in self.hidden else {})
            for client, user in self.users.items()
        ]
