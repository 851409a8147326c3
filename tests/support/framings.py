"""The framings, each read by the rules of its own standard. Uses no code of the lab."""

import codecs
import json
import os
import re
import struct
import zlib
from dataclasses import dataclass

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
DEFLATE = "permessage-deflate"
"""The extension that compresses messages (RFC 7692)."""


class ServerSentEvents:
    """A parser of event streams, after the HTML standard, section 9.2.6."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._type = ""
        self.last_id = ""
        self.retry: int | None = None
        self.comments = 0

    def feed(self, data: bytes) -> list[tuple[str, str, str]]:
        """The events that are complete now: type, data and last event id of each."""
        *lines, self._rest = re.split(rb"\r\n|\n|\r(?!\Z)", self._rest + data)
        return [event for line in lines if (event := self._line(line.decode()))]

    def _line(self, line: str) -> tuple[str, str, str] | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        self._field(name, value.removeprefix(" "))
        return None

    def _field(self, name: str, value: str) -> None:
        if name == "":
            self.comments += 1
        elif name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self.last_id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            self.retry = int(value)

    def _dispatch(self) -> tuple[str, str, str] | None:
        data, kind = self._data, self._type or "message"
        self._data, self._type = [], ""
        return (kind, "\n".join(data), self.last_id) if data else None


class JsonLines:
    """A parser of NDJSON: one JSON text on each line, empty lines mean nothing."""

    def __init__(self) -> None:
        self._rest = b""
        self.empty = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.empty += lines.count(b"")
        return [line.decode() for line in lines if line]


class ScriptPage:
    """A parser of an endless HTML page: finds each script element and the call in it."""

    SCRIPT = re.compile(r'<script nonce="?([\w+/=-]+)"?>(.*?)</script\s*>', re.DOTALL | re.IGNORECASE)
    CALL = re.compile(r"\s*([\w$.]+)\((.*)\);?\s*", re.DOTALL)

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._rest = ""
        self.nonces: set[str] = set()
        self.functions: set[str] = set()
        self.between = ""
        """What stands outside the scripts: the beginning of the page, and signs of life."""

    def feed(self, data: bytes) -> list[str]:
        """The arguments of the calls that are complete now."""
        page, arguments, end = self._rest + self._decode(data), [], 0
        for script in self.SCRIPT.finditer(page):
            self.between += page[end : script.start()]
            arguments.append(self._argument(*script.groups()))
            end = script.end()
        self._rest = page[end:]
        return arguments

    @property
    def comments(self) -> int:
        """How many comments came that are complete, the one at the beginning of the page included."""
        return len(re.findall(r"<!--.*?-->", self.between + self._rest, re.DOTALL))

    def _argument(self, nonce: str, code: str) -> str:
        assert "<!--" not in code and "<script" not in code.lower(), "a browser would not end it here"
        function, argument = self.CALL.fullmatch(code).groups()
        self.nonces.add(nonce)
        self.functions.add(function)
        return script_literal(argument)


def script_literal(argument: str) -> str:
    """A JSON argument of a call, as also a browser from before ES2019 could read it."""
    assert "\u2028" not in argument and "\u2029" not in argument, "a line ends here in an older JavaScript"
    return argument


def padded_call(body: str, callback: str) -> str:
    """The argument of a JSONP answer, which must call exactly this function, behind an empty comment."""
    before, after = f"/**/{callback}(", ");"
    assert body.startswith(before) and body.endswith(after), body[:80]
    return script_literal(body[len(before) : -len(after)])


@dataclass(frozen=True)
class Frame:
    """A WebSocket frame (RFC 6455 section 5.2); `size` is what it took on the wire."""

    opcode: int
    payload: bytes
    size: int
    deflated: bool = False
    final: bool = True

    @property
    def close_code(self) -> int:
        """What a close frame says."""
        return struct.unpack("!H", self.payload[:2])[0]


async def read_frame(wire) -> Frame:
    """Take a server's frame off the wire; a server may not mask."""
    first, second = await wire.take(2)
    assert not second & 0x80, "a server's frame is not masked"
    long = {126: (2, "!H"), 127: (8, "!Q")}.get(second & 0x7F)
    size = struct.unpack(long[1], await wire.take(long[0]))[0] if long else second & 0x7F
    payload = await wire.take(size)
    header = 2 + (long[0] if long else 0)
    return Frame(first & 0x0F, payload, header + size, bool(first & 0x40), bool(first & 0x80))


def client_frame(opcode: int, payload: bytes, first_bits: int = 0x80) -> bytes:
    """A client's frame, whole and masked."""
    size, mask = len(payload), os.urandom(4)
    long = struct.pack("!BQ", 0x80 | 127, size) if size > 0xFFFF else struct.pack("!BH", 0x80 | 126, size)
    length = bytes([0x80 | size]) if size < 126 else long
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([first_bits | opcode]) + length + mask + masked


class Inflater:
    """Takes the compression off messages (RFC 7692), with the window that the server may keep."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)

    def read(self, frame: Frame) -> bytes:
        """The payload as its sender meant it."""
        if not frame.deflated:
            return frame.payload
        return self._inflate.decompress(frame.payload + b"\x00\x00\xff\xff")


def canonical(event: dict) -> bytes:
    """An event as compact JSON in UTF-8, the way it stands on the wire."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
