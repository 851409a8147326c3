"""A raw peer: a TCP connection to the student's program, which keeps every byte and compares it."""

import secrets
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from lab.anatomy import Part
from lab.anatomy.frames import CLOSE, TEXT, Frame, read, unmasked
from lab.exercises.handshakes import EXAMPLE_KEY, check_response, request
from lab.exercises.mismatch import Mismatch
from lab.exercises.relay import broken

END = b"\r\n\r\n"
MOST_BYTES = 4_000_000
"""Bytes that are kept while the end of a unit is awaited; no exercise needs a tenth of it."""
MORE_S = 0.05
"""Seconds for the bytes after a wrong one, which make it easier to understand."""


def frame(payload: bytes | str, opcode: int = TEXT, key: bytes = b"", final: bool = True) -> bytes:
    """A frame; with a key it is masked, as a client's must be (RFC 6455 section 5.2)."""
    data = payload.encode() if isinstance(payload, str) else payload
    size, mask = len(data), 0x80 if key else 0
    bits = bytes([0x80 * final | opcode])
    if size < 126:
        head = bits + bytes([mask | size])
    else:
        head = bits + (
            struct.pack("!BH", mask | 126, size) if size < 65_536 else struct.pack("!BQ", mask | 127, size)
        )
    return head + key + unmasked(data, key)


def masked(payload: bytes | str, opcode: int = TEXT, final: bool = True) -> bytes:
    """A client's frame under a fresh key."""
    return frame(payload, opcode, secrets.token_bytes(4), final)


class Peer:
    """One connection. `left` says how many seconds the step still has."""

    def __init__(self, connection: socket.socket, left: Callable[[], float]) -> None:
        self.socket, self.left = connection, left
        self.parts: list[Part] = []
        """Every byte in the order in which it passed; a part of the student's program has not `came`."""
        self.sent = b""
        """What was sent last: it is shown when the response is wrong."""
        self.over = False
        """Whether the program has closed the connection."""
        self._unread = self._last = b""

    def send(self, data: bytes) -> None:
        """Send; what the program does not read is noticed when it does not respond."""
        self.sent = data
        self.parts.append(Part(time.monotonic(), True, data))
        with suppress(OSError):
            self.socket.settimeout(self.left())
            self.socket.sendall(data)

    def _more(self, seconds: float | None = None) -> bool:
        """Read what has come; False at the end of the connection or of the time."""
        if self.over or len(self._unread) > MOST_BYTES:
            return False
        try:
            self.socket.settimeout(max(0.001, self.left() if seconds is None else seconds))
            data = self.socket.recv(65_536)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        self.over = not data
        self._unread += data
        self.parts += [Part(time.monotonic(), False, data)] if data else []
        return bool(data)

    def until(self, whole: Callable[[bytes], int]) -> bytes:
        """The next bytes, up to the end that `whole` finds (0: not yet). Raises `Mismatch`."""
        while not (end := whole(self._unread)):
            if not self._more():
                raise self._missing()
        self._last, self._unread = self._unread[:end], self._unread[end:]
        return self._last

    def _missing(self) -> Mismatch:
        endless = len(self._unread) > MOST_BYTES
        key = "endless" if endless else "closed" if self.over else "silence"
        return Mismatch(key, sent=self.sent, received=self._unread, size=len(self._unread))

    def rest(self) -> bytes:
        """All that comes until the program closes the connection, or the time is over."""
        while self._more():
            pass
        rest, self._unread = self._unread, b""
        return rest

    def head(self) -> str:
        """The next HTTP head."""
        head = self.until(lambda data: data.find(END) + len(END) if END in data else 0)
        return head.decode("latin-1")

    def frame(self) -> Frame:
        """The next frame, whatever is in it."""
        found = read(self.until(lambda data: whole.end if (whole := read(data, 0)) else 0), 0)
        assert found
        return found

    def expect(self, expected: bytes, key: str = "other_bytes") -> None:
        """The next bytes are exactly these. Raises `Mismatch` at the first one that is not."""
        while len(self._unread) < len(expected) and expected.startswith(self._unread) and self._more():
            pass
        if self._unread.startswith(expected):
            self._unread = self._unread[len(expected) :]
            return
        if expected.startswith(self._unread):
            raise self._missing_of(expected)
        self._more(MORE_S)
        raise Mismatch(key, sent=self.sent, expected=expected, received=self._unread)

    def _missing_of(self, expected: bytes) -> Mismatch:
        lacking = self._missing()
        lacking.expected = expected
        return lacking

    def expect_close(self, *codes: int, key: str = "other_close") -> None:
        """The next frame is a close with one of these codes; 0: without one. A reason may follow it."""
        closing = self.frame()
        code = int.from_bytes(closing.payload[:2], "big")
        if closing.opcode != CLOSE or code not in codes or len(closing.payload) == 1:
            wanted = frame(struct.pack("!H", codes[0]), CLOSE)
            raise Mismatch(key, sent=self.sent, expected=wanted, received=self._last, code=codes[0])

    def expect_nothing(self, seconds: float, key: str) -> None:
        """Nothing comes in so many seconds. Raises `Mismatch`."""
        if self._unread or self._more(seconds):
            raise Mismatch(key, sent=self.sent, received=self._unread)

    def expect_masked(self, text: str) -> bytes:
        """The next frame is this text under a mask; returns its key. Raises `Mismatch`."""
        whole = frame(text, key=bytes(4))
        head = len(whole) - len(text.encode()) - 4
        self.expect(whole[:head])
        key = self.until(lambda data: 4 * (len(data) >= 4))
        size = len(text.encode())
        data = self.until(lambda data: size * (len(data) >= size)) if size else b""
        if (found := unmasked(data, key).decode("utf-8", "replace")) != text:
            raise self._other_text(text, data, found)
        return key

    def _other_text(self, text: str, data: bytes, found: str) -> Mismatch:
        if data == text.encode():
            return Mismatch("mask", sent=self.sent, expected=text, received=found)
        return Mismatch("other_text", sent=self.sent, expected=text, received=found)

    def handshake(self, path: str, key: str = EXAMPLE_KEY) -> None:
        """Open a WebSocket. Raises `Mismatch` unless the response is 101 with the right accept value."""
        self.send(request(path, key))
        check_response(self.sent, self.head(), key)

    def finish(self) -> None:
        """Send nothing more: the program reads the end of its input, and may still respond."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def forget(self) -> None:
        """Forget what has come so far."""
        while self._more(0.001):
            pass
        self._unread = b""

    def reset(self) -> None:
        """End the connection without a word, as a network does: the program's next send fails."""
        broken(self.socket)

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def drain(peers: list[Peer]) -> None:
    """Forget what has come to these peers so far."""
    for peer in peers:
        peer.forget()


def next_frames(peers: list[Peer]) -> list[tuple[Frame, float]]:
    """The next frame of each, and when it came; none waits for another. Raises `Mismatch`."""
    found: dict[Peer, tuple[Frame, float]] = {}
    while waiting := {peer.socket: peer for peer in peers if peer not in found}:
        for ready in select.select(list(waiting), [], [], peers[0].left())[0] or waiting:
            found[waiting[ready]] = waiting[ready].frame(), time.monotonic()
    return [found[peer] for peer in peers]
