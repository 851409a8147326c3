"""WebSocket frames: two bytes of header, a longer length, a mask, the payload (RFC 6455 section 5.2)."""

from collections.abc import Sequence
from typing import NamedTuple

from lab.anatomy.binary import Inner
from lab.anatomy.units import FRAMING, Piece, Tiler, one_field

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KINDS = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
LENGTH_BYTES = {126: 2, 127: 8}
SHORTEST = {0: 0, 2: 126, 8: 65_536}
"""The shortest payload whose length is written in so many extra bytes."""
NO_CODES = {1004, 1005, 1006, 1015}
"""Close codes that are never sent (RFC 6455 section 7.4.1)."""


class Frame(NamedTuple):
    """One frame: where it begins, where its payload begins and ends, and what its header says."""

    start: int
    body: int
    end: int
    bits: int
    """FIN, RSV1 to RSV3 and the opcode: its first byte."""
    key: bytes
    """The masking key; empty when the frame is not masked."""
    payload: bytes
    """Without its mask, and still compressed."""
    extra: int
    """Bytes of a length that is longer than 7 bits."""

    @property
    def opcode(self) -> int:
        """What the frame is."""
        return self.bits & 0x0F

    @property
    def final(self) -> bool:
        """Whether it ends its message."""
        return bool(self.bits & 0x80)

    @property
    def compressed(self) -> bool:
        """RSV1: its message is compressed (RFC 7692 section 6)."""
        return bool(self.bits & 0x40)

    @property
    def control(self) -> bool:
        """Whether it is a close, a ping or a pong, which may stand between the frames of a message."""
        return self.opcode >= CLOSE


def read(data: bytes, place: int) -> Frame | None:
    """The frame that begins at `place`; None when it is not whole."""
    head = data[place : place + 2]
    if len(head) < 2:
        return None
    extra, masked, length = LENGTH_BYTES.get(head[1] & 0x7F, 0), head[1] >> 7, head[1] & 0x7F
    start = place + 2 + extra
    if extra:
        length = int.from_bytes(data[place + 2 : start], "big")
    body = start + 4 * masked
    if body + length > len(data):
        return None
    key, payload = data[start:body], data[body : body + length]
    return Frame(place, body, body + length, head[0], key, unmasked(payload, key), extra)


def unmasked(payload: bytes, key: bytes) -> bytes:
    """Octet i of the payload XOR octet i modulo 4 of the key (RFC 6455 section 5.3)."""
    if not key:
        return payload
    size = len(payload)
    long = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(long, "big")).to_bytes(size, "big")


def fault(frame: Frame, came: bool, compression: bool, in_message: bool | None) -> str:
    """Which rule of the standard the frame breaks; empty when none. `in_message` is None when not known."""
    starts, size = frame.opcode in (TEXT, BINARY), len(frame.payload)
    rules = {
        "a client must mask it": bool(frame.key) or not came,
        "a server must not mask it": came or not frame.key,
        "reserved bits": not frame.bits & 0x30 and (not frame.compressed or (compression and starts)),
        f"opcode {frame.opcode} is reserved": frame.opcode in KINDS,
        "a control frame is whole and short": not frame.control or (frame.final and size < 126),
        "length not in its shortest form": SHORTEST[frame.extra] <= size < 2**63,
        "a continuation without a start": frame.opcode != CONTINUATION or in_message is not False,
        "a message inside a message": not (starts and in_message),
    }
    return next((reason for reason, kept in rules.items() if not kept), "")


def piece(data: bytes, frame: Frame, part: str, inside: Sequence[Inner], saved: int = 0) -> Piece:
    """The unit of a frame, with the fields of its payload; `saved` is for its only one."""
    tiler, kind = Tiler(data, frame.start), KINDS[frame.opcode]
    flags = "".join(f"{flag} " for flag, bit in (("FIN", 0x80), ("RSV1", 0x40)) if frame.bits & bit)
    tiler.add(tiler.place + 1, FRAMING, "fin-rsv-opcode", f"{flags}{frame.opcode} = {kind}", f"opcode.{kind}")
    seven = data[tiler.place] & 0x7F
    tiler.add(tiler.place + 1, FRAMING, "mask-length", f"{'MASK ' if frame.key else ''}{seven}")
    tiler.add(tiler.place + frame.extra, FRAMING, "extended-length", str(len(frame.payload)))
    tiler.add(frame.body, FRAMING, "masking-key", frame.key.hex())
    if frame.opcode == CLOSE:
        _close(tiler, frame)
    for inner in inside:
        tiler.add(frame.body + inner.end, part, inner.name, inner.value, saved=saved)
    return tiler.piece(kind)


def _close(tiler: Tiler, frame: Frame) -> None:
    code = int.from_bytes(frame.payload[:2], "big")
    if len(frame.payload) >= 2:
        note = "close-code.never" if code in NO_CODES else "close-code"
        tiler.add(frame.body + 2, FRAMING, "close-code", str(code), note)
        tiler.add(frame.end, FRAMING, "close-reason", frame.payload[2:].decode("utf-8", "replace"))


def not_a_frame(data: bytes, frame: Frame, reason: str) -> list[Piece]:
    """The unit of a frame that breaks a rule: one field."""
    return one_field(data, frame.start, frame.end, f"not a frame: {reason}")


def whole(data: bytes, place: int) -> list[Frame]:
    """The frames from `place` on, up to the first that is not whole."""
    frames = list[Frame]()
    while frame := read(data, place):
        frames.append(frame)
        place = frame.end
    return frames
