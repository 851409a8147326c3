"""Compression of WebSocket messages: which offer the lab accepts, and how it packs and unpacks.

    client: Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate
    server: Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10

With `--compress` each of the server's messages is packed alone, so that all listeners share its bytes; with
`--compress kept` each client has a compressor of its own, which refers back to the client's earlier messages.
A client may always refer back to its own. RFC 7692; the header is RFC 6455 section 9.1.
"""

import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lab.errors import BadExtensions
from lab.room.messages import Batch
from lab.techniques.client_frames import INVALID_DATA, TOO_BIG, FrameError
from lab.techniques.frames import DEFLATED, data_frame, split

NAME = "permessage-deflate"
WINDOWS = {str(bits) for bits in range(8, 16)}
"""A window is 2 to the power of so many bits; the number has no leading zero (RFC 7692 section 7.1.2)."""
PARAMETERS: dict[str, set[str | None]] = {
    "server_no_context_takeover": {None},
    "client_no_context_takeover": {None},
    "server_max_window_bits": {*WINDOWS - {"8"}},  # zlib cannot pack with a window of 256 bytes
    "client_max_window_bits": {*WINDOWS, None},
}
"""The parameters and values that the lab accepts in an offer (RFC 7692 section 7.1)."""
TAIL = b"\x00\x00\xff\xff"
"""The end of an empty block, which the sender removes from each message and the receiver appends."""
LAST_BLOCK = b"\x03\x00"
"""An empty block that is the last one; it can only stand where another block has ended."""

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
VALUE = rf'(?:{TOKEN}|"(?:[^"\\]|\\.)*+")?+'
PARAMETER = re.compile(rf"[ \t]*+;[ \t]*+({TOKEN})[ \t]*+(?:(=)[ \t]*+({VALUE}))?+")
EXTENSION = re.compile(rf"[ \t]*+(?:({TOKEN})((?:{PARAMETER.pattern})*+))?+[ \t]*+(?:,|$)")

Parameters = list[tuple[str, str | None]]


# Negotiation ----------------------------------------------------------------------------------


def offers(header: str) -> Iterator[tuple[str, Parameters]]:
    """The extensions that a client offers, in its order of preference: name and parameters.

    Raises `BadExtensions` where the header does not follow its grammar. An empty value is accepted here, and
    then refused as a value that no extension allows.
    """
    place = 0
    while place < len(header):
        if not (found := EXTENSION.match(header, place)):
            raise BadExtensions("Sec-WebSocket-Extensions does not follow RFC 6455 section 9.1.")
        place = found.end()
        if found[1]:
            yield found[1], [parameter(*some.groups()) for some in PARAMETER.finditer(found[2])]


def parameter(name: str, equals: str | None, value: str | None) -> tuple[str, str | None]:
    """A parameter and its value without quotes; None for one that stands alone."""
    if equals is None or value is None:
        return name, None
    return name, re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def acceptable(name: str, parameters: Parameters) -> bool:
    """Whether the lab supports every offered parameter, and none is repeated (RFC 7692 section 7.1)."""
    known = all(value in PARAMETERS.get(key, ()) for key, value in parameters)
    return name == NAME and known and len(dict(parameters)) == len(parameters)


class Agreement:
    """The parameters of the accepted offer, which both sides use from now on."""

    def __init__(self, parameters: Parameters) -> None:
        self._agreed = {name: value for name, value in parameters if value or "takeover" in name}

    @classmethod
    def of(cls, header: str) -> "Agreement | None":
        """Accept the first offer that the lab can do; None without one. Raises `BadExtensions`."""
        good = [parameters for name, parameters in list(offers(header)) if acceptable(name, parameters)]
        return cls(good[0]) if good else None

    def __str__(self) -> str:
        """The header field of the response: the accepted parameters, without a hint that has no value."""
        words = [f"{name}={value}" if value else name for name, value in self._agreed.items()]
        return "; ".join([NAME, *words])

    def window(self, side: str) -> int:
        """The bits of the window of "server" or "client"."""
        return int(self._agreed.get(f"{side}_max_window_bits") or zlib.MAX_WBITS)

    @property
    def server_may_refer_back(self) -> bool:
        """Whether a message of the server may refer to its earlier ones."""
        return "server_no_context_takeover" not in self._agreed

    @property
    def client_refers_back(self) -> bool:
        """Whether a client's message may refer to its earlier ones."""
        return "client_no_context_takeover" not in self._agreed


# Packing --------------------------------------------------------------------------------------


@lru_cache(256)
def deflate(payload: bytes, window: int = zlib.MAX_WBITS) -> bytes:
    """Raw deflate of one message, without its `TAIL` (RFC 7692 section 7.2.1)."""
    squeeze = zlib.compressobj(wbits=-window)
    return (squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH))[: -len(TAIL)]


class Packer:
    """Packs the messages of one client, each of which refers back to the earlier ones (`--compress kept`).

    A message that is packed must be sent, and in this order: the client's window follows the server's.
    """

    def __init__(self, window: int) -> None:
        self.saved: list[int] = []
        """Bytes saved on each frame that was packed in the last call."""
        self._window = window
        self._stream: Any = None  # up to 268 kB, so not for a client that has not received anything

    def pack(self, payload: bytes) -> bytes:
        """Raw deflate of one message, without its `TAIL` (RFC 7692 section 7.2.1)."""
        if self._stream is None:
            self._stream = zlib.compressobj(wbits=-self._window)
        packed: bytes = self._stream.compress(payload) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return packed[: -len(TAIL)]

    def seal(self, frames: bytes) -> bytes:
        """These frames of all clients, packed for this client."""
        plain = list(split(frames))
        packed = [(opcode | DEFLATED, self.pack(payload)) for opcode, payload in plain]
        self.saved = [len(old) - len(new) for (_, old), (_, new) in zip(plain, packed, strict=True)]
        return b"".join(data_frame(bits, payload) for bits, payload in packed)

    def saved_bytes(self, batch: Batch) -> int:
        """Bytes saved on the messages of the batch that was packed last."""
        each = zip(batch.events, self.saved, strict=True)
        return sum(saved for event, saved in each if event.kind == "message")


class Inflater:
    """Unpacks the messages of one client, which may refer back to earlier ones."""

    def __init__(self, agreement: Agreement, most: int) -> None:
        self.most = most
        """Most bytes that a message may have; decompression stops one byte above."""
        self._bits = agreement.window("client")
        self._refers_back = agreement.client_refers_back
        self._stream: Any = None  # 40 kB, so not for a client that only listens

    def _start(self, earlier: bytes) -> None:
        """A new stream, which may refer back to `earlier`."""
        self._earlier = earlier[-(2**self._bits) :]
        self._stream = zlib.decompressobj(-self._bits, zdict=self._earlier)

    def read(self, payload: bytes) -> bytes:
        """Unpack a message. Raises `FrameError`: 1007 when it is no deflate, 1009 when it is too long."""
        if self._stream is None or not self._refers_back:
            self._start(b"")
        try:
            text = self._unpack(payload + TAIL)
        except zlib.error:
            raise FrameError(INVALID_DATA, "the data is not deflate") from None
        self._earlier = (self._earlier + text)[-(2**self._bits) :]
        return text

    def _unpack(self, data: bytes) -> bytes:
        """A sender may end a stream inside a message and begin another (RFC 7692 section 7.2.3.4)."""
        text, before = b"", self._earlier
        while data not in (b"", TAIL):  # nothing but the tail: an empty message, or one that needed none
            text += self._stream.decompress(data, self.most + 1 - len(text))
            if len(text) > self.most:
                raise FrameError(TOO_BIG, "message too big when unpacked")
            data = self._stream.unused_data
            if self._stream.eof:
                self._start(before + text)
        self._check_end()
        self._earlier = before
        return text

    def _check_end(self) -> None:
        """A message that was cut ends inside a block. Raises `FrameError` with 1007."""
        probe = self._stream.copy()
        if probe.decompress(LAST_BLOCK) or not probe.eof:
            raise FrameError(INVALID_DATA, "the deflate data is incomplete")
