"""What a check found: the bytes sent, expected and received, and the key of a sentence about them."""

from typing import NamedTuple

Shown = bytes | str
"""Bytes are shown in hexadecimal, text as it is."""


class Said(NamedTuple):
    """A sentence in either language: its key in the texts of the exercises, and its values."""

    key: str
    values: dict[str, object] = {}  # noqa: RUF012 - never changed


class Mismatch(Exception):
    """A step failed. `key` names the sentence that explains it."""

    def __init__(
        self,
        key: str,
        *,
        sent: Shown = b"",
        expected: Shown = b"",
        received: Shown = b"",
        **values: object,
    ) -> None:
        super().__init__(key)
        self.said = Said(key, values)
        self.sent, self.expected, self.received = sent, expected, received

    @property
    def differs(self) -> int:
        """The place of the first wrong byte or character; of what is too short, its end."""
        pairs = zip(self.expected, self.received, strict=False)
        short = min(len(self.expected), len(self.received))
        return next((place for place, (one, other) in enumerate(pairs) if one != other), short)
