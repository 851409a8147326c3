"""What a client's WebSocket frames may be, and with which close code the lab refuses the others.

Knows neither sockets nor Tornado. RFC 6455 sections 5 and 7.4, RFC 7692 section 6.
"""

from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
OPCODES = {CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG}
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009
"""Close codes of RFC 6455 section 7.4.1."""
CLOSE_CODES = {1000, 1001, 1002, 1003, *range(1007, 1015)}
"""Of those below 3000, the ones that may be sent (IANA WebSocket close code registry)."""
LENGTH_BYTES = {126: 2, 127: 8}
SHORTEST = {0: 0, 2: 126, 8: 65_536}
"""The shortest payload whose length is written in so many extra bytes."""


class FrameError(Exception):
    """A frame that the standard forbids: the close code, and the reason that the client receives."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Head(NamedTuple):
    """The first two bytes of a frame (RFC 6455 section 5.2)."""

    final: bool
    compressed: bool
    """RSV1, which RFC 7692 uses."""
    reserved: int
    """RSV2 and RSV3, which no extension of the lab uses."""
    opcode: int
    masked: bool
    length: int
    """Length of the payload; 126 and 127 mean that the length follows in 2 or 8 bytes."""

    @classmethod
    def parse(cls, data: bytes) -> "Head":
        """Read the two bytes."""
        first, second = data
        bits = bool(first & 0x80), bool(first & 0x40), first & 0x30
        return cls(*bits, first & 0x0F, bool(second & 0x80), second & 0x7F)

    @property
    def control(self) -> bool:
        """Whether it is a close, a ping or a pong."""
        return self.opcode >= CLOSE

    @property
    def starts(self) -> bool:
        """Whether a message begins with it."""
        return self.opcode in (TEXT, BINARY)


def check_head(head: Head, compression: bool, in_message: bool) -> None:
    """Refuse a frame by its first two bytes. Raises `FrameError` with 1002."""
    rules = {
        "a client must mask its frames": head.masked,
        "reserved bits": not head.reserved and (not head.compressed or (compression and head.starts)),
        "reserved opcode": head.opcode in OPCODES,
        "a control frame is whole and short": not head.control or (head.final and head.length < 126),
        "a continuation without a start": head.opcode != CONTINUATION or in_message,
        "a message inside a message": not (head.starts and in_message),
    }
    for reason, kept in rules.items():
        if not kept:
            raise FrameError(PROTOCOL_ERROR, reason)


def payload_length(head: Head, extra: bytes) -> int:
    """The length of the payload in bytes. Raises `FrameError` (1002) when a shorter form exists."""
    length = int.from_bytes(extra, "big") if extra else head.length
    if length < SHORTEST[len(extra)] or length >= 2**63:
        raise FrameError(PROTOCOL_ERROR, "length not in its shortest form")
    return length


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """The payload without its mask (RFC 6455 section 5.3): XOR with the four bytes of the mask."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def check_text(data: bytes) -> None:
    """Text is UTF-8. Raises `FrameError` with 1007."""
    try:
        data.decode()
    except UnicodeDecodeError:
        raise FrameError(INVALID_DATA, "text that is not UTF-8") from None


def check_close(payload: bytes) -> None:
    """A close frame is empty, or a code and a reason. Raises `FrameError` with 1002 or 1007."""
    code = int.from_bytes(payload[:2], "big")
    if payload and (len(payload) < 2 or not (code in CLOSE_CODES or 3000 <= code <= 4999)):
        raise FrameError(PROTOCOL_ERROR, "a close code that may not be sent")
    check_text(payload[2:])
