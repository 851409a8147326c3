"""The accept value of a WebSocket handshake, step by step (RFC 6455 section 1.3)."""

import base64
import hashlib
from typing import NamedTuple

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""The same for every WebSocket: a server that does not know the protocol cannot answer with it."""


class AcceptSteps(NamedTuple):
    """From the client's key to the server's answer."""

    key: str
    """The value of Sec-WebSocket-Key: 16 random bytes in Base64."""
    text: str
    """The key, and the GUID behind it."""
    sha1: str
    """The SHA-1 of the text: 20 bytes, in hexadecimal."""
    accept: str
    """The same 20 bytes in Base64: the value of Sec-WebSocket-Accept."""


def accept_steps(key: str) -> AcceptSteps:
    """How a server computes its answer to a key; the key is taken as it is, right or wrong."""
    text = key + GUID
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).digest()
    return AcceptSteps(key, text, digest.hex(), base64.b64encode(digest).decode())
