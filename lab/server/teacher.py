"""The teacher's key: a link that works once, and the cookie that it is exchanged for."""

import hmac
import secrets


def cookie_name(port: int) -> str:
    """The cookie of the lab at this port: a browser keeps one jar for all ports of a host (RFC 6265 8.5)."""
    return f"pushlab-teacher-{port}"


class TeacherKey:
    """Who holds the cookie is the teacher; who first opens a link with a ticket gets the cookie."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        self._tickets = [self.token]
        self._cookie = secrets.token_urlsafe(32)

    def ticket(self) -> str:
        """One more token for one more link, for the browser that the lab opens by itself."""
        self._tickets.append(secrets.token_urlsafe(32))
        return self._tickets[-1]

    def exchange(self, token: str) -> str | None:
        """The cookie for a link's token, the first time; None ever after, and for any other token."""
        for ticket in self._tickets:
            if hmac.compare_digest(token.encode(), ticket.encode()):
                self._tickets.remove(ticket)
                return self._cookie
        return None

    def fits(self, cookie: str) -> bool:
        """Whether this is the teacher's cookie, compared in constant time."""
        return hmac.compare_digest(cookie.encode(), self._cookie.encode())

    def fits_script(self, token: str) -> bool:
        """Whether a script holds the printed token, in a header: that lasts as long as the lab."""
        return hmac.compare_digest(token.encode(), self.token.encode())
