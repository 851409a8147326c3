"""The address of a Redis: parsed strictly, shown without secrets, and refused with a reason.

redis-py parses the same URL when it connects, but ignores or guesses what it does not understand, and its
errors repeat the text, which may be a password. So everything is checked here first.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from lab.errors import CannotStart

PORT = 6379
FORMS = "redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE or unix:///PATH"
ENCODED = "In a name or a password write %40 for @, %3A for :, %2F for /, %3F for ? and %23 for #."
MOST_DATABASE = 10**6


@dataclass(frozen=True)
class Address:
    """The address of a Redis, without any secret."""

    scheme: str
    host: str = ""
    port: int = PORT
    path: str = ""
    database: int = 0

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.path}" + f"?db={self.database}" * bool(self.database)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.database}"


def read(url: str) -> Address:
    """The address in a URL. Raises `CannotStart`, which does not repeat it, for one that redis-py would
    misread."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _unreadable("its host or port cannot be read") from None
    if parts.scheme not in ("redis", "rediss", "unix") or not url.lower().startswith(f"{parts.scheme}://"):
        raise _unreadable("it does not begin with one of these")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise _unreadable("there is white space in it")
    if parts.fragment or url.endswith("#"):
        raise _unreadable("there is a # in it")
    database = _options(parts)
    if parts.scheme == "unix":
        return Address("unix", path=_socket(parts), database=database or 0)
    if port == 0:
        raise _unreadable("its port is 0")
    return Address(parts.scheme, _host(parts), port or PORT, database=_database(parts, database))


def _unreadable(why: str) -> CannotStart:
    return CannotStart(f"This address of a Redis cannot be read: {why}. Write {FORMS}. {ENCODED}")


def _host(parts: SplitResult) -> str:
    host = unquote(parts.hostname or "localhost")
    try:
        usable = host.encode("idna").isascii() and not re.search(r"[\s\x00/@]", host)
    except UnicodeError:
        usable = False
    if not usable:
        raise _unreadable("its host is not the name of a computer")
    return host


def _socket(parts: SplitResult) -> str:
    path = unquote(parts.path)
    if parts.hostname or not path.strip("/") or "\0" in path:
        raise _unreadable("the path of its socket is missing or does not begin with /")
    return path


def _database(parts: SplitResult, option: int | None) -> int:
    path = unquote(parts.path).strip("/")
    if path and not _is_database(path):
        raise _unreadable("its path is not the number of a database")
    if path and option is not None and int(path) != option:
        raise _refused("db", "is given twice, with different values")
    return int(path) if path else option or 0


# The options behind the question mark -------------------------------------------------------------


def _is_database(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < MOST_DATABASE


def _is_truth(text: str) -> bool:
    return text.lower() in ("0", "1", "true", "false", "yes", "no")


def _is_name(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _is_tls_version(text: str) -> bool:
    return text in ("771", "772")


Check = Callable[[str], bool]

ALWAYS: dict[str, tuple[Check, str]] = {
    "db": (_is_database, "must be a whole number from 0"),
    "username": (bool, "must be a name"),
    "password": (bool, "must be a password"),
    "client_name": (_is_name, "must be a name in ASCII without spaces"),
}
BY_TCP: dict[str, tuple[Check, str]] = {"socket_keepalive": (_is_truth, "must be true or false")}
BY_TLS: dict[str, tuple[Check, str]] = {
    "ssl_cert_reqs": (
        lambda text: text in ("none", "optional", "required"),
        "must be none, optional or required",
    ),
    "ssl_check_hostname": (_is_truth, "must be true or false"),
    "ssl_ca_certs": (os.path.isfile, "must be a file that exists"),
    "ssl_ca_path": (os.path.isdir, "must be a folder that exists"),
    "ssl_certfile": (os.path.isfile, "must be a file that exists"),
    "ssl_keyfile": (os.path.isfile, "must be a file that exists"),
    "ssl_password": (bool, "must be a password"),
    "ssl_min_version": (_is_tls_version, "must be 771 (TLS 1.2) or 772 (TLS 1.3)"),
    "ssl_ciphers": (bool, "must be a list of ciphers"),
}
OWN = {
    *("decode_responses", "encoding", "encoding_errors", "health_check_interval", "legacy_responses"),
    *(
        "max_connections",
        "protocol",
        "retry",
        "retry_on_error",
        "retry_on_timeout",
        "single_connection_client",
    ),
    *("socket_connect_timeout", "socket_read_size", "socket_timeout", "timeout"),
}
"""Options that the lab sets itself, because its guarantees depend on them."""


def _options(parts: SplitResult) -> int | None:
    """Check every option; returns the database that is chosen by one. Raises `CannotStart`."""
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise _unreadable("the part after the ? is not NAME=VALUE") from None
    options = dict(pairs)
    allowed = ALWAYS | ({} if parts.scheme == "unix" else BY_TCP)
    allowed |= BY_TLS if parts.scheme == "rediss" else {}
    for name, value in pairs:
        _check(name, value, allowed, may_be_named="@" not in parts.query)
    if len(options) < len(pairs) or any(getattr(parts, name) and name in options for name in TWICE):
        raise _unreadable("an option, the name or the password is given twice")
    return int(options["db"]) if "db" in options else None


TWICE = ("username", "password")


def _check(name: str, value: str, allowed: dict[str, tuple[Check, str]], may_be_named: bool) -> None:
    if name in OWN:
        raise _refused(name, "is set by the lab itself; leave it out")
    if name in BY_TLS and name not in allowed:
        raise _refused(name, "is for rediss:// only")
    if name not in allowed:
        # An @ after it: this was the end of a password that contains a ?.
        named = name if may_be_named and re.fullmatch(r"\w{1,30}", name) else ""
        raise _refused(named, f"is not one of {', '.join(allowed)}")
    fits, sentence = allowed[name]
    if not fits(value):
        raise _refused(name, sentence)


def _refused(name: str, why: str) -> CannotStart:
    named = f"option {name}" if name else "an option"
    return CannotStart(f"In the address of the Redis, {named} {why}.")
