"""Frames that RFC 6455 forbids, and the close code with which a receiver should answer each."""

from typing import NamedTuple

from lab.anatomy.frames import unmasked


class ForbiddenFrame(NamedTuple):
    """A frame of a client that breaks one rule."""

    frame: bytes
    rule: str
    """The section that forbids it."""
    code: int
    """The close code that the standard names for it (RFC 6455 section 7.4.1)."""


KEY = bytes.fromhex("37fa213d")
"""The masking key of the standard's own examples (RFC 6455 section 5.7)."""


def masked(payload: bytes) -> bytes:
    """The key, and the payload under it."""
    return KEY + unmasked(payload, KEY)  # the same operation masks and unmasks


FORBIDDEN = {
    "unmasked": ForbiddenFrame(b"\x81\x05Hello", "RFC 6455 §5.1", 1002),
    "rsv2": ForbiddenFrame(b"\xa1\x85" + masked(b"Hello"), "RFC 6455 §5.2", 1002),
    "opcode3": ForbiddenFrame(b"\x83\x85" + masked(b"Hello"), "RFC 6455 §5.2", 1002),
    "utf8": ForbiddenFrame(b"\x81\x82" + masked(b"\xc3\x28"), "RFC 6455 §8.1", 1007),
    "long-ping": ForbiddenFrame(b"\x89\xfe\x00\x7e" + masked(b"p" * 126), "RFC 6455 §5.5", 1002),
    "long-length": ForbiddenFrame(b"\x81\xfe\x00\x05" + masked(b"Hello"), "RFC 6455 §5.2", 1002),
    "continuation": ForbiddenFrame(b"\x80\x85" + masked(b"Hello"), "RFC 6455 §5.4", 1002),
    "close-1005": ForbiddenFrame(b"\x88\x82" + masked(b"\x03\xed"), "RFC 6455 §7.4.1", 1002),
}
"""The frames by name."""
