"""What compressed WebSocket messages say: permessage-deflate (RFC 7692).

A message may refer back to earlier ones of its direction, unless "no context takeover" was agreed.
Where messages are missing, a new stream begins: what refers to them is then not shown, and never shown wrong.
"""

import zlib
from typing import Any

NAME = "permessage-deflate"
TAIL = b"\x00\x00\xff\xff"
"""The end of an empty block, which the sender removes (RFC 7692 section 7.2.1)."""
WINDOW_BYTES = 2**15
MOST_BYTES = 2**20
"""A message of more bytes than this is not unpacked."""


class Inflater:
    """Unpacks the messages of one direction."""

    def __init__(self, keeps_window: bool) -> None:
        self.keeps_window = keeps_window
        self.forget()

    def forget(self) -> None:
        """Begin again without earlier messages."""
        self._start(b"")

    def _start(self, earlier: bytes) -> None:
        self._earlier = earlier[-WINDOW_BYTES:]
        self._stream: Any = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self._earlier)

    def read(self, packed: bytes) -> bytes | None:
        """The message; None when it cannot be unpacked."""
        if not self.keeps_window:
            self.forget()
        try:
            text = self._unpack(packed + TAIL)
        except zlib.error:
            text = None
        if text is None:
            self.forget()
        return text

    def _unpack(self, data: bytes) -> bytes | None:
        """A sender may end a stream inside a message and begin another (RFC 7692 section 7.2.3.4)."""
        text, before = b"", self._earlier
        while data not in (b"", TAIL):
            text += self._stream.decompress(data, MOST_BYTES + 1 - len(text))
            if len(text) > MOST_BYTES:
                return None
            data = self._stream.unused_data
            if self._stream.eof:
                self._start(before + text)
        self._earlier = (before + text)[-WINDOW_BYTES:]
        return text
