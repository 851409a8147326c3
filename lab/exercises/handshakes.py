"""Handshakes: the request of a client, what the response must be, and wrong accept values that are known."""

import asyncio
import base64
import hashlib
import threading
from collections.abc import Callable
from random import Random

from lab.anatomy import accept_steps
from lab.anatomy.handshake import GUID
from lab.exercises.mismatch import Mismatch

EXAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""The key in the standard's own example (RFC 6455 section 1.3)."""
SWITCHING = "101 Switching Protocols"
NEEDED = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
PATIENCE_S = 5.0


def new_key(random: Random) -> str:
    """A key as a browser makes one: 16 random bytes in Base64."""
    return base64.b64encode(random.randbytes(16)).decode()


def request(path: str, key: str, connection: str = "Upgrade") -> bytes:
    """The request of a handshake (RFC 6455 section 4.1)."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", f"Connection: {connection}"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def headers(head: str) -> dict[str, str]:
    """The headers of a request or a response; their names in lower case."""
    pairs = (line.partition(":") for line in head.split("\r\n")[1:] if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def check_status(
    sent: bytes, head: str, wanted: str = SWITCHING, key: str = "status", name: str = ""
) -> None:
    """The status of a response is this one; the words after its number are free. Raises `Mismatch`."""
    status = head.partition("\r\n")[0]
    if not f"{status} ".startswith(f"HTTP/1.1 {wanted[:3]} "):
        raise Mismatch(key, sent=sent, expected=f"HTTP/1.1 {wanted}", received=status, name=name)


def check_response(sent: bytes, head: str, key: str) -> None:
    """The response to a handshake: 101, both headers of an upgrade, the accept value. Raises `Mismatch`."""
    check_status(sent, head)
    found = headers(head)
    for name, wanted in NEEDED:
        if wanted.lower() not in found.get(name.lower(), "").lower().split(", "):
            raise _header(sent, name, wanted, found)
    accept = accept_steps(key).accept
    if (value := found.get("sec-websocket-accept")) != accept:
        raise _header(sent, "Sec-WebSocket-Accept", accept, found, known_fault(value, key))


def _header(sent: bytes, name: str, wanted: str, found: dict[str, str], fault: str = "") -> Mismatch:
    """A header with another value, or none of this name."""
    value = found.get(name.lower())
    received = "" if value is None else f"{name}: {value}"
    key = "no_header" if value is None else fault or "header"
    return Mismatch(key, sent=sent, expected=f"{name}: {wanted}", received=received, name=name)


def base64_sha1(data: bytes) -> str:
    """The SHA-1 of some bytes, in Base64."""
    return base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def known_fault(value: str | None, key: str) -> str:
    """Which usual mistake gives this accept value; empty when none does."""
    text = (key + GUID).encode()
    digits = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    faults: dict[str, Callable[[], str]] = {
        "accept_decoded": lambda: base64_sha1(base64.b64decode(key) + GUID.encode()),
        "accept_hex": lambda: base64.b64encode(digits.encode()).decode(),
        "accept_lower": lambda: base64_sha1((key + GUID.lower()).encode()),
        "accept_line_end": lambda: base64_sha1((key + "\r\n" + GUID).encode()),
        "accept_space": lambda: base64_sha1((" " + key + GUID).encode()),
        "accept_no_guid": lambda: base64_sha1(key.encode()),
        "accept_digits": lambda: digits,
    }
    return next((name for name, make in faults.items() if make() == value), "")


def real_client(url: str, patience_s: float) -> None:
    """Connect with Tornado's client, in a thread, because a notebook has a loop of its own.

    Raises `Mismatch` with its error.
    """
    from tornado.websocket import websocket_connect

    failed: list[str] = []

    async def connect() -> None:
        (await websocket_connect(url, connect_timeout=PATIENCE_S)).close()

    def run() -> None:
        try:
            asyncio.run(connect())
        except Exception as error:  # the student reads it, whatever it is
            failed.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(patience_s)
    if failed or thread.is_alive():
        raise Mismatch("client", error="".join(failed) or "timeout")
