"""WebSocket frames as a server sends them: whole and unmasked (RFC 6455 section 5.2)."""

import struct
from collections.abc import Iterator

FIN, TEXT, BINARY, DEFLATED = 0x80, 1, 2, 0x40
"""The last frame of a message; the opcodes of data; RSV1, which marks a compressed message (RFC 7692)."""


def data_frame(bits: int, payload: bytes) -> bytes:
    """A frame that is a whole message; `bits` are its opcode, and `DEFLATED` when it is compressed."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", FIN | bits, size) + payload
    if size < 65536:
        return struct.pack("!BBH", FIN | bits, 126, size) + payload
    return struct.pack("!BBQ", FIN | bits, 127, size) + payload


def text_frame(payload: bytes, flags: int = 0) -> bytes:
    """A whole, unmasked text frame."""
    return data_frame(TEXT | flags, payload)


def split(frames: bytes) -> Iterator[tuple[int, bytes]]:
    """The opcode and the payload of each of these frames, as `data_frame` has made them."""
    place = 0
    while place < len(frames):
        extra = {126: 2, 127: 8}.get(frames[place + 1], 0)
        start = place + 2 + extra
        size = int.from_bytes(frames[place + 2 : start], "big") if extra else frames[place + 1]
        yield frames[place] & 0x0F, frames[start : start + size]
        place = start + size
