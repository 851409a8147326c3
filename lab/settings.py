"""The settings of a lab: one value, made once, passed down and never changed."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.errors import BadParameter


class Limit(NamedTuple):
    """One limit of the lab: its default value, its unit and what it bounds. 0 means none."""

    default: float
    unit: str
    bounds: str


LIMITS = {
    "body_bytes": Limit(65536, "bytes", "the body of one request"),
    "message_chars": Limit(500, "characters", "the body of one message"),
    "username_chars": Limit(32, "characters", "a username"),
    "frame_bytes": Limit(16384, "bytes", "one WebSocket message from a client"),
    "rate": Limit(5, "sends per second", "what one client may send, with a burst of twice as many"),
    "connections": Limit(10000, "connections", "open connections in all"),
    "per_address": Limit(256, "connections", "open connections from one address"),
}


COMPRESS = FRESH, KEPT = "fresh", "kept"
"""How WebSocket messages are compressed: each alone, so that listeners share it, or with the window kept."""
MOST_LABS = 32
"""Labs that one command opens behind an nginx."""
AUTO = "auto"
"""The base path is what a proxy writes into X-Forwarded-Prefix, for each request."""
PATH = re.compile(r"/(?:[\w.~@:%+-]+/)*", re.ASCII)


def parse_base(text: str) -> str:
    """Read a base path: `/lab/`, where the outer slashes may be left out, or `auto`.

    Raises `BadParameter` for characters that a path in a URL or a cookie cannot have.
    """
    if text == AUTO:
        return text
    inner = text.strip("/")
    path = f"/{inner}/" if inner else "/"
    if not PATH.fullmatch(path):
        raise BadParameter(f"A base path must be a path such as /lab/, or {AUTO}, not {text!r}.")
    return path


def parse_limit(text: str) -> tuple[str, float]:
    """Read `NAME=VALUE`, as in `--limit rate=0`.

    Raises `BadParameter` for an unknown name or a value that is not a number from 0 up.
    """
    name, _, value = text.partition("=")
    if name not in LIMITS:
        raise BadParameter(f"There is no limit {name!r}; there are {', '.join(LIMITS)}.")
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise BadParameter(f"The limit {name} must be a number, 0 (no limit) or more, not {value!r}.")
    return name, number


@dataclass(frozen=True)
class Front:
    """What a lab that is one of several knows of the nginx before it, and of the other labs."""

    lab: int
    """Its own number, from 1 on."""
    labs: int
    """How many there are."""
    port: int
    """The port to which users connect."""
    addresses: tuple[str, ...]
    """The addresses of nginx."""
    scheme: str
    token: str = field(repr=False)
    """The teacher's key, the same at every lab: the token of the link, one more, and the cookie."""
    ticket: str = field(repr=False)
    cookie: str = field(repr=False)
    shared: bool = True
    """Whether the labs have one Redis."""


@dataclass(frozen=True)
class Settings:
    """How one lab serves: its addresses, its Redis, its room and its limits."""

    host: str = "127.0.0.1"
    port: int = 8000
    redis: str | None = None
    room: str = "room"
    hold: float = 25.0
    """Longest hold of a long poll in seconds; below the 30 s that RFC 6202 section 5.5 recommends."""
    heartbeat: float = 15.0
    """Seconds without an event after which a stream gets a heartbeat; proxies close idle ones after 60."""
    patience: float = 10.0
    """Seconds for a head, or a body, from its first byte on; for a first head, from connecting on."""
    idle: float = 75.0
    """Seconds that a kept-alive connection may be idle between requests; pollers ask sooner."""
    compress: bool | str = False
    """Whether WebSocket messages are compressed: False, "fresh" (or True), or "kept"."""
    base: str = "/"
    """The path below which a reverse proxy offers the lab, or `auto`."""
    allow_hosts: tuple[str, ...] = ()
    certfile: str | None = None
    """The file of the certificate; with one, everything is served by https and wss."""
    keyfile: str | None = None
    """The file of its key, unless the key is in the same file."""
    lesson: str | None = None
    """A file with the steps of the guided lesson, instead of the lab's own."""
    limits: dict[str, float] = field(default_factory=dict)
    front: Front | None = None
    """The nginx before it, when it is one of several labs."""

    @property
    def keeps_window(self) -> bool:
        """Whether a compressed message may refer back to the earlier ones of its connection."""
        return self.compress == KEPT

    @property
    def scheme(self) -> str:
        """The scheme of the lab's URLs."""
        return "https" if self.certfile else "http"

    @property
    def outer_scheme(self) -> str:
        """The scheme of the URLs that users see: with an nginx before the lab, that of nginx."""
        return self.front.scheme if self.front else self.scheme

    @property
    def own_base(self) -> str:
        """The base path in the URLs that the lab prints; a path that only a proxy knows is not in them."""
        return "/" if self.base == AUTO else self.base

    def limit(self, name: str) -> float:
        """The limit in force; infinity when it is switched off with 0."""
        return self.limits.get(name, LIMITS[name].default) or float("inf")
