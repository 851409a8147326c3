"""What a run of the lab can be told: one value, made once, passed down and never changed."""

from dataclasses import dataclass, field
from typing import NamedTuple

from lab.errors import BadParameter


class Limit(NamedTuple):
    """One limit of the lab: its value when nothing is said, its unit and what it bounds. 0 means none."""

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
        raise BadParameter(f"The limit {name} takes a number from 0 (none) up, not {value!r}.")
    return name, number


@dataclass(frozen=True)
class Settings:
    """How one lab serves: where it listens, which Redis and room it uses, what it bounds."""

    host: str = "127.0.0.1"
    port: int = 8000
    redis: str | None = None
    room: str = "room"
    hold: float = 25.0
    """Seconds after which a waiting poll is answered empty; under the 30 s that RFC 6202 5.5 calls safe."""
    heartbeat: float = 15.0
    """Seconds of silence after which an open stream gets a sign of life; proxies give up after 60."""
    patience: float = 10.0
    """Seconds for a head, or a body, from its first byte on; for a first head, from connecting on."""
    idle: float = 75.0
    """Seconds that a kept-alive connection may stay without asking anything; pollers come back sooner."""
    compress: bool = False
    allow_hosts: tuple[str, ...] = ()
    certfile: str | None = None
    """The certificate to show; with one, everything is served by https and wss."""
    keyfile: str | None = None
    """Its key, unless it stands in the same file."""
    limits: dict[str, float] = field(default_factory=dict)

    @property
    def scheme(self) -> str:
        """What the lab's addresses begin with."""
        return "https" if self.certfile else "http"

    def limit(self, name: str) -> float:
        """The limit in force; infinity when it is switched off with 0."""
        return self.limits.get(name, LIMITS[name].default) or float("inf")
