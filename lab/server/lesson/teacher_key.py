"""The teacher's key: a link that works once, and the cookie that it is exchanged for."""

import hmac
import secrets
import time
from collections.abc import Iterable

from lab.errors import TooManyTries

TRIES = 30
"""Wrong tokens that one address may send before it must wait."""


def cookie_name(port: int) -> str:
    """The cookie of the lab at this port: a browser keeps one jar for all ports of a host (RFC 6265 8.5)."""
    return f"pushlab-teacher-{port}"


class Guesses:
    """The wrong tokens of the last minute, by address, so that no client can try all tokens."""

    def __init__(self) -> None:
        self.wrong: dict[str, list[float]] = {}
        """When each address has sent wrong tokens; older entries are removed by `admit`."""

    def admit(self, address: str) -> None:
        """Let this address try a token. Raises `TooManyTries`, also when it would be the right one."""
        since = time.monotonic() - TooManyTries.retry_s
        self.wrong = {who: when for who, when in self.wrong.items() if when[-1] > since}
        if sum(moment > since for moment in self.wrong.get(address, [])) >= TRIES:
            raise TooManyTries("Too many wrong tokens from this address; wait a minute.")

    def note(self, address: str) -> None:
        """Record a wrong token."""
        self.wrong[address] = [*self.wrong.get(address, [])[1 - TRIES :], time.monotonic()]


class TeacherKey:
    """The browser with the cookie is the teacher's; the first to open a link with a ticket gets it.

    Several labs have the same token and the same cookie, so that the console works at each of them.
    """

    def __init__(self, token: str = "", cookie: str = "", tickets: Iterable[str] = ()) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self.guesses = Guesses()
        self._tickets = [self.token, *tickets]
        self._cookie = cookie or secrets.token_urlsafe(32)

    def ticket(self) -> str:
        """One more token for one more link, for the browser that the lab opens by itself."""
        self._tickets.append(secrets.token_urlsafe(32))
        return self._tickets[-1]

    def exchange(self, token: str, address: str) -> str | None:
        """The cookie for a link's token, the first time; None ever after, and for any other token.

        Raises `TooManyTries` when this address has shown too many wrong ones.
        """
        self.guesses.admit(address)
        for ticket in self._tickets:
            if same(token, ticket):
                self._tickets.remove(ticket)
                return self._cookie
        self.guesses.note(address)
        return None

    def fits(self, cookie: str) -> bool:
        """Whether this is the teacher's cookie."""
        return same(cookie, self._cookie)

    def fits_script(self, token: str, address: str) -> bool:
        """Whether a script holds the printed token, in a header: that lasts as long as the lab.

        Raises `TooManyTries` when this address has shown too many wrong ones.
        """
        self.guesses.admit(address)
        right = same(token, self.token)
        if not right:
            self.guesses.note(address)
        return right


def same(shown: str, kept: str) -> bool:
    """Whether two secrets are equal, compared in constant time."""
    return hmac.compare_digest(shown.encode(), kept.encode())
