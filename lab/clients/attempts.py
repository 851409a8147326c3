"""The attempts of a listener to connect: whether it is connected, and if not, why.

A message can be lost only by a listener that was connected. For any other there is a reason, one of `KINDS`;
the module that reports it has the sentence.
"""

import errno
import ssl
import time

import aiohttp

from lab.clients.link import Refused, SentAway
from lab.errors import NO_FILE_LEFT

KINDS = ("files", "ports", "full", "rate", "proxy", "refused", "tls", "name", "timeout", "closed", "answer")
HELD_S = 1.0
"""Seconds after which a request that has not failed counts as connected, as refusals come at once."""
GIVEN_UP = 3
"""Failures in a row after which a listener counts as unable to connect; it goes on trying."""
FULL, PROXY = 503, (502, 504)


class Attempts:
    """The attempts of one listener to connect, in order."""

    __slots__ = ("accepted", "failures", "reason", "since")

    def __init__(self) -> None:
        self.accepted = False
        self.since: float | None = None
        """The time at which the current request was sent; None without one."""
        self.failures = 0
        """Failures in a row: without a connection of `HELD_S` in between."""
        self.reason: str | None = None
        """The last failure, one of `KINDS`; empty before the first."""

    def ask(self) -> None:
        """A request is sent."""
        if not self.accepted:  # later polls of a connected listener change nothing
            self.since = time.monotonic()

    def accept(self) -> None:
        """A response without an error has begun."""
        if not self.accepted:
            self.accepted, self.since = True, time.monotonic()

    def fail(self, error: Exception) -> None:
        """The request failed, or its connection has ended."""
        self.failures = 1 if self.accepted and self._lasts else self.failures + 1
        self.accepted, self.since = False, None
        self.reason = kind_of(error)

    def there(self, waits: bool) -> bool:
        """Whether this listener is connected. One that `waits` gets no response until there is a message.

        After a failure it must stay connected for a while: a full lab may accept it and send `bye` at once.
        """
        begun = self.accepted or (waits and self.since is not None)
        return begun and (not self.failures or self._lasts)

    @property
    def _lasts(self) -> bool:
        return self.since is not None and time.monotonic() - self.since > HELD_S

    @property
    def kept_out(self) -> bool:
        """Whether it has failed many times in a row."""
        return self.failures >= GIVEN_UP


def kind_of(error: BaseException) -> str:
    """Why a listener could not connect, as one of `KINDS`."""
    if isinstance(error, Refused):
        return _kind_of_answer(error)
    if isinstance(error, SentAway):
        return "full"
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError, ssl.SSLError)):
        return "tls"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "name"
    if isinstance(error, TimeoutError):
        return "timeout"
    return _kind_of_number(error)


def _kind_of_answer(refused: Refused) -> str:
    if refused.code == "rate_limited" or refused.status == 429:
        return "rate"
    if refused.status in PROXY:
        return "proxy"
    return "full" if refused.status == FULL else "answer"


def _kind_of_number(error: BaseException) -> str:
    number = getattr(getattr(error, "os_error", error), "errno", None)
    if number in NO_FILE_LEFT:
        return "files"
    if number == errno.EADDRNOTAVAIL:
        return "ports"
    return "refused" if number == errno.ECONNREFUSED else "closed"
