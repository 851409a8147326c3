"""The switches of the proxy: each is one mistake in its configuration, or a limit that it is given.

    timeout=3s      the lab may be silent for 3 s before its response begins, or within it (60s)
    buffering=on    nginx collects responses, and does not obey the lab's `X-Accel-Buffering: no` (off)
    http=1.0        nginx speaks HTTP/1.0 with the lab, as by itself before version 1.29.7 (1.1)
    upgrade=off     the header fields of a WebSocket's handshake are not passed on (on)
    upgrade=always  every request gets `Connection: upgrade`, polls too (on)
    host=off        the lab gets the name of nginx's upstream as Host, not that of the URL (on)
    gzip=on         responses are compressed, streams too (off)
    idle=30s        a stream without data is closed after 30 s, and an idle connection (60s, 75s)
    keepalive=5     a client's connection carries 5 requests (1000)

With several labs behind it (`--labs 2`) also:

    balance=hash    which lab gets a request: by least_conn, ip_hash, or the hash of `client=` (round_robin)
    retry=on        a poll that has timed out is sent to the next lab, and its lab gets nothing for 10 s:
                    nginx's own rules (off: the next lab is tried only after a broken connection)
    shared=off      each lab has a Redis of its own (on)

In parentheses is what a proxy without fault has. `buffering=on` holds streams back only together with
`http=1.0` or `gzip=on`: pieces of a chunked response (HTTP/1.1) are passed on as they come.
"""

import re
from dataclasses import asdict, dataclass, fields

from lab.errors import BadParameter, hint
from lab.json_types import JsonObject

UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}
TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|)", re.ASCII)
SHORTEST_S, LONGEST_S = 0.1, 3600.0
TRUTH = {"on": True, "off": False}
ALWAYS = "always"
VERSIONS = ("1.0", "1.1")
BALANCES = ("round_robin", "least_conn", "ip_hash", "hash")
ROUND_ROBIN = "round_robin"
GOOD = "good"
"""The spelling of a proxy without fault."""
MOST_REQUESTS = 1_000_000


@dataclass(frozen=True)
class Switches:
    """How the proxy is configured; without arguments it has no fault. Durations are in seconds."""

    timeout: float = 60.0
    """How long the lab may be silent (nginx's `proxy_read_timeout`)."""
    buffering: bool = False
    """Whether nginx collects responses although the lab asks it not to."""
    http: str = "1.1"
    """The version of HTTP between nginx and the lab."""
    upgrade: bool | str = True
    """Whether a handshake is passed on: True, False, or "always": `Connection: upgrade` in each request."""
    host: bool = True
    """Whether the lab gets the Host that the client sent."""
    gzip: bool = False
    """Whether responses are compressed."""
    idle: float | None = None
    """After how many seconds without data a stream or an idle connection is closed; None: nginx's own."""
    keepalive: int = 1000
    """How many requests one connection of a client carries."""
    balance: str = ROUND_ROBIN
    """By which rule one of several labs gets a request."""
    retry: bool = False
    """Whether a poll that has timed out is sent to the next lab too, as nginx does by itself."""
    shared: bool = True
    """Whether several labs have one Redis."""

    @property
    def of_several(self) -> list[str]:
        """The changed switches that mean something only with several labs."""
        return [name for name in SEVERAL if getattr(self, name) != getattr(Switches(), name)]

    def as_json(self) -> JsonObject:
        """The switches with units in their names."""
        values = asdict(self)
        return {f"{name}_s" if name in TIMES else name: value for name, value in values.items()}

    def __str__(self) -> str:
        """Those that differ from a proxy without fault, as `parse` reads them; `good` when none does."""
        usual = Switches()
        changed = {f.name: getattr(self, f.name) for f in fields(self)}
        parts = (
            f"{name}={spelled(name, value)}"
            for name, value in changed.items()
            if value != getattr(usual, name)
        )
        return ",".join(parts) or GOOD


TIMES = ("timeout", "idle")
SEVERAL = ("balance", "retry", "shared")
NAMES = tuple(field.name for field in fields(Switches))


def parse(text: str) -> Switches:
    """Read switches such as `timeout=3s,buffering=on`; an empty text or `good` is a proxy without fault.

    Raises `BadParameter` for a switch or a value that does not exist, with what it could be.
    """
    parts = [part.strip() for part in text.split(",") if part.strip() not in ("", GOOD)]
    given: JsonObject = {}
    for part in parts:
        name, _, value = part.partition("=")
        if name not in NAMES:
            raise BadParameter(
                f"There is no switch {name!r}; there are {', '.join(NAMES)}.{hint(name, NAMES)}"
            )
        if name in given:
            raise BadParameter(f"The switch {name} is given twice; give it once.")
        given[name] = READERS[name](name, value)
    return Switches(**given)


def spelled(name: str, value: object) -> str:
    """The value of a switch as `parse` reads it."""
    if name in TIMES:
        return f"{value:g}s"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _truth(name: str, text: str) -> bool:
    if text not in TRUTH:
        raise BadParameter(f"{name} must be on or off, not {text!r}: write {name}=on.")
    return TRUTH[text]


def _upgrade(name: str, text: str) -> bool | str:
    if text != ALWAYS and text not in TRUTH:
        raise BadParameter(f"{name} must be on, off or {ALWAYS}, not {text!r}: write {name}=off.")
    return TRUTH.get(text, text)


def _version(name: str, text: str) -> str:
    if text not in VERSIONS:
        raise BadParameter(f"{name} must be {' or '.join(VERSIONS)}, not {text!r}: write {name}=1.0.")
    return text


def _balance(name: str, text: str) -> str:
    if text not in BALANCES:
        raise BadParameter(f"{name} must be {', '.join(BALANCES)}, not {text!r}: write {name}=hash.")
    return text


def _time(name: str, text: str) -> float:
    found = TIME.fullmatch(text)
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise BadParameter(f"{name} must be a duration from 100ms to 60m, not {text!r}: write {name}=3s.")
    return seconds


def _number(name: str, text: str) -> int:
    found = int(text) if re.fullmatch(r"[0-9]{1,7}", text) else 0
    if not 1 <= found <= MOST_REQUESTS:
        raise BadParameter(
            f"{name} must be a whole number of requests from 1 to {MOST_REQUESTS}, not {text!r}: {name}=5."
        )
    return found


READERS = {
    "timeout": _time,
    "buffering": _truth,
    "http": _version,
    "upgrade": _upgrade,
    "host": _truth,
    "gzip": _truth,
    "idle": _time,
    "keepalive": _number,
    "balance": _balance,
    "retry": _truth,
    "shared": _truth,
}
