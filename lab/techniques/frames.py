"""WebSocket frames as a server sends them: whole, unmasked text (RFC 6455 section 5.2)."""

import struct

FIN_TEXT, DEFLATED = 0x81, 0x40


def text_frame(payload: bytes, flags: int = 0) -> bytes:
    """A whole, unmasked text frame (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", FIN_TEXT | flags, size) + payload
    if size < 65536:
        return struct.pack("!BBH", FIN_TEXT | flags, 126, size) + payload
    return struct.pack("!BBQ", FIN_TEXT | flags, 127, size) + payload
