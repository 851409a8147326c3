"""The lab's WebSocket against RFC 6455: what is echoed, what ends it, and never worse than Tornado."""

import struct
from dataclasses import dataclass, field

import pytest

from tests import autobahn
from tests.support.echoes import ECHOES, echoes
from tests.support.framings import BINARY, CLOSE, PING, PONG, TEXT, client_frame, read_frame
from tests.support.listeners import handshake
from tests.support.wire import Closed, Wire

CONTINUATION, MORE, LAST = 0, 0x00, 0x80
RESERVED_OPCODES = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]
BAD_TEXT = {
    "a lone continuation": b"\x80",
    "an overlong slash": b"\xc0\xaf",
    "an overlong nul": b"\xe0\x80\x80",
    "half a surrogate pair": b"\xed\xa0\x80",
    "beyond the last character": b"\xf4\x90\x80\x80",
    "a cut character": b"abc\xe4\xb8",
    "an impossible byte": b"\xfe",
}
GOOD_TEXT = ["", "κόσμε", "\ud7ff\ue000\ufffd\uffff", "\U0001ffff\U0010fffe\U0010ffff", "\0"]
GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
BAD_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535]
GAPS = {f"close with {code}" for code in BAD_CODES} | {"an unmasked frame"}
"""What Tornado lets pass, and the lab with it (RFC 6455 sections 5.1 and 7.4)."""


@dataclass
class Case:
    """Frames that a client sends, what must come back before the end, and how it may end."""

    sent: bytes
    back: list[tuple[int, bytes]] = field(default_factory=list)
    ends: tuple[int | None, ...] = (1000,)


def fatal(sent, *back):
    """A case after which no more may be heard: closed with a code that says why, or without a word."""
    return Case(sent, list(back), (None, 1002, 1003, 1007, 1009))


def closing(code, reason=b""):
    """A close frame with this code."""
    return client_frame(CLOSE, struct.pack("!H", code) + reason)


def pieces(*payloads, opcode=TEXT, between=b""):
    """One message in so many frames, with something in between."""
    last = len(payloads) - 1
    return b"".join(
        client_frame(CONTINUATION if n else opcode, payload, LAST if n == last else MORE)
        + (between if n < last else b"")
        for n, payload in enumerate(payloads)
    )


CASES = {
    "a text": Case(client_frame(TEXT, b"hello"), [(TEXT, b"hello")]),
    "bytes": Case(client_frame(BINARY, b"\xff\x00"), [(BINARY, b"\xff\x00")]),
    "a ping": Case(client_frame(PING, b"x" * 125), [(PONG, b"x" * 125)]),
    "a pong that nobody asked for": Case(client_frame(PONG, b"x") + client_frame(TEXT, b"a"), [(TEXT, b"a")]),
    "a text in pieces": Case(pieces(b"one ", b"", b"two"), [(TEXT, b"one two")]),
    "bytes in pieces": Case(pieces(b"\x00", b"\xff", opcode=BINARY), [(BINARY, b"\x00\xff")]),
    "a character in pieces": Case(pieces(*(bytes([b]) for b in "长".encode())), [(TEXT, "长".encode())]),
    "a ping between pieces": Case(
        pieces(b"a", b"b", b"c", between=client_frame(PING, b"?")),
        [(PONG, b"?"), (PONG, b"?"), (TEXT, b"abc")],
    ),
    "a close between pieces": Case(client_frame(TEXT, b"a", MORE) + closing(1000)),
    "a text behind the close": Case(closing(1000) + client_frame(TEXT, b"late")),
    "a close that says nothing": Case(client_frame(CLOSE, b""), ends=(None, 1000, 1005)),
    "a close with a reason": Case(closing(1001, "再见".encode()), ends=(1000, 1001)),
    "a close of one byte": fatal(client_frame(CLOSE, b"\x03")),
    "a close whose reason is no text": fatal(closing(1000, b"\xff")),
    "a close that is too long": fatal(closing(1000, b"x" * 124)),
    "a continuation of nothing": fatal(client_frame(CONTINUATION, b"x")),
    "a text inside a text": fatal(client_frame(TEXT, b"a", MORE) + client_frame(TEXT, b"b")),
    "a ping in pieces": fatal(client_frame(PING, b"x", MORE)),
    "a ping that is too long": fatal(client_frame(PING, b"x" * 126)),
    "an unmasked frame": fatal(b"\x81\x05hello"),
    "bad text in pieces": fatal(pieces(b"\xe4", b"\xb8", b"x")),
}
CASES |= {f"opcode {n}": fatal(client_frame(n, b"x")) for n in RESERVED_OPCODES}
CASES |= {f"reserved bits {n:x}": fatal(client_frame(TEXT, b"x", LAST | n)) for n in (0x10, 0x20, 0x40, 0x70)}
CASES |= {f"text with {name}": fatal(client_frame(TEXT, text)) for name, text in BAD_TEXT.items()}
CASES |= {f"text {t!a}": Case(client_frame(TEXT, t.encode()), [(TEXT, t.encode())]) for t in GOOD_TEXT}
CASES |= {f"close with {code}": Case(closing(code), ends=(1000, code)) for code in GOOD_CODES}
CASES |= {f"close with {code}": fatal(closing(code)) for code in BAD_CODES}
CASES |= {
    f"{size} characters": Case(client_frame(TEXT, b"*" * size), [(TEXT, b"*" * size)])
    for size in (0, 1, 125, 126, 127, 65_535, 65_536, 100_000)
}


@pytest.fixture(scope="module")
def port():
    """The port of a lab with two echoes."""
    with echoes() as port:
        yield port


async def met(port, echo, case):
    """What an echo answers to a case, behind which a proper goodbye follows: its frames, and how it ends."""
    wire = await Wire.open(port)
    await wire.request("GET", ECHOES[echo], handshake())
    assert (await wire.read_head()).status == 101
    back = []
    try:
        await wire.send(case.sent + closing(1000))
        while (frame := await read_frame(wire)).opcode != CLOSE:
            back.append((frame.opcode, frame.payload))
        return back, frame.close_code if frame.payload else None
    except (Closed, ConnectionError):
        return back, None


@pytest.mark.parametrize("name", CASES)
async def test_the_standard_is_kept(name, port):
    """What the standard allows comes back, what it forbids ends the connection; Tornado's gaps are known."""
    case = CASES[name]
    kept = {}
    for echo in ECHOES:
        back, end = await met(port, echo, case)
        kept[echo] = back == case.back and end in case.ends
    assert kept == dict.fromkeys(ECHOES, name not in GAPS), (back, end)


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(autobahn.missing()), reason=autobahn.missing() or "it is there")
def test_autobahn_finds_nothing_worse_than_in_tornado(port):
    """In none of some 250 cases does the lab's WebSocket behave, or close, worse than Tornado's own."""
    found = autobahn.verdicts(port)
    assert len(found["lab"]) == len(found["tornado"]) > 200
    assert autobahn.worse(found) == {}
