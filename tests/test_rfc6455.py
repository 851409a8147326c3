"""The lab's WebSockets against RFC 6455: what is echoed, which code ends it, and never worse than Tornado."""

import asyncio
import json
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import websockets

from tests import autobahn
from tests.support.counting import growth
from tests.support.drafts import draft
from tests.support.echoes import ECHOES, echoes
from tests.support.framings import BINARY, CLOSE, PING, PONG, TEXT, client_frame, read_frame
from tests.support.lab_here import LabHere
from tests.support.lab_state import held, meters
from tests.support.listeners import client, handshake
from tests.support.wire import HOST, Wire, eventually, fetch

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
GOOD_CODES = [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999]
BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009


@dataclass
class Case:
    """Frames that a client sends, what must come back before the end, and how it may end."""

    sent: bytes
    back: list[tuple[int, bytes]] = field(default_factory=list)
    end: int | None = 1000


def fatal(sent, code=PROTOCOL_ERROR):
    """A case that the standard forbids: nothing comes back but a close frame with this code."""
    return Case(sent, end=code)


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
    "an unsolicited pong": Case(client_frame(PONG, b"x") + client_frame(TEXT, b"a"), [(TEXT, b"a")]),
    "a text in pieces": Case(pieces(b"one ", b"", b"two"), [(TEXT, b"one two")]),
    "bytes in pieces": Case(pieces(b"\x00", b"\xff", opcode=BINARY), [(BINARY, b"\x00\xff")]),
    "a character in pieces": Case(pieces(*(bytes([b]) for b in "长".encode())), [(TEXT, "长".encode())]),
    "a ping between pieces": Case(
        pieces(b"a", b"b", b"c", between=client_frame(PING, b"?")),
        [(PONG, b"?"), (PONG, b"?"), (TEXT, b"abc")],
    ),
    "a close between pieces": Case(client_frame(TEXT, b"a", MORE) + closing(1000)),
    "a text behind the close": Case(closing(1000) + client_frame(TEXT, b"late")),
    "a close that says nothing": Case(client_frame(CLOSE, b""), end=None),
    "a close with a reason": Case(closing(1001, "再见".encode()), end=1001),
    "a close with the longest reason": Case(closing(1001, b"x" * 123), end=1001),
    "a close of one byte": fatal(client_frame(CLOSE, b"\x03")),
    "a close whose reason is no text": fatal(closing(1000, b"\xff"), INVALID_DATA),
    "a close whose reason is cut": fatal(closing(1000, "长".encode()[:2]), INVALID_DATA),
    "a close that is too long": fatal(closing(1000, b"x" * 124)),
    "a close in pieces": fatal(client_frame(CLOSE, b"\x03\xe8", MORE)),
    "a continuation of nothing": fatal(client_frame(CONTINUATION, b"x")),
    "a continuation behind a whole text": Case(
        client_frame(TEXT, b"a") + client_frame(CONTINUATION, b"b"), [(TEXT, b"a")], PROTOCOL_ERROR
    ),
    "a piece of nothing": fatal(client_frame(CONTINUATION, b"x", MORE)),
    "a text inside a text": fatal(client_frame(TEXT, b"a", MORE) + client_frame(TEXT, b"b")),
    "bytes inside a text": fatal(client_frame(TEXT, b"a", MORE) + client_frame(BINARY, b"b")),
    "a ping in pieces": fatal(client_frame(PING, b"x", MORE)),
    "a pong in pieces": fatal(client_frame(PONG, b"x", MORE)),
    "a ping that is too long": fatal(client_frame(PING, b"x" * 126)),
    "a pong that is too long": fatal(client_frame(PONG, b"x" * 70_000)),
    "an unmasked text": fatal(b"\x81\x05hello"),
    "an unmasked ping": fatal(b"\x89\x00"),
    "an unmasked close": fatal(b"\x88\x02\x03\xe8"),
    "an unmasked piece": fatal(client_frame(TEXT, b"a", MORE) + b"\x80\x01b"),
    "bad text in pieces": fatal(pieces(b"\xe4", b"\xb8", b"x"), INVALID_DATA),
    "bad text around a ping": Case(
        pieces(b"\xe4", b"x", between=client_frame(PING, b"?")), [(PONG, b"?")], INVALID_DATA
    ),
    "16 bits for a length of 125": fatal(b"\x81\xfe\x00\x7d" + b"\0" * 129),
    "64 bits for a length of 65535": fatal(b"\x81\xff" + struct.pack("!Q", 65_535)),
    "a length of 64 bits with the first one set": fatal(b"\x81\xff" + struct.pack("!Q", 2**63)),
}
CASES |= {f"opcode {n}": fatal(client_frame(n, b"x")) for n in RESERVED_OPCODES}
CASES |= {f"opcode {n} in pieces": fatal(client_frame(n, b"x", MORE)) for n in RESERVED_OPCODES}
RESERVED_BITS = (0x10, 0x20, 0x40, 0x70)
CASES |= {
    f"reserved bits {bits:x} on opcode {n}": fatal(client_frame(n, b"", LAST | bits))
    for bits in RESERVED_BITS
    for n in (TEXT, BINARY, CLOSE, PING, PONG)
}
CASES |= {
    f"reserved bits {bits:x} on a continuation": fatal(
        client_frame(TEXT, b"x", MORE) + client_frame(CONTINUATION, b"x", LAST | bits)
    )
    for bits in RESERVED_BITS
}
CASES |= {
    f"text with {name}": fatal(client_frame(TEXT, text), INVALID_DATA) for name, text in BAD_TEXT.items()
}
CASES |= {f"text {t!a}": Case(client_frame(TEXT, t.encode()), [(TEXT, t.encode())]) for t in GOOD_TEXT}
CASES |= {f"close with {code}": Case(closing(code), end=code) for code in GOOD_CODES}
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


async def answered(port, path, data):
    """What comes back on a socket for some bytes: its frames, how it ends, and the connection."""
    wire = await Wire.open(port)
    await wire.request("GET", path, handshake())
    assert (await wire.read_head()).status == 101
    await wire.send(data)
    back = []
    while (frame := await read_frame(wire)).opcode != CLOSE:
        back.append((frame.opcode, frame.payload))
    assert await wire.take_rest() == b"", "something follows the close frame"
    return back, frame.close_code if frame.payload else None, wire


@pytest.mark.parametrize("name", CASES)
async def test_the_standard_is_kept(name, port, no_traceback):
    """What the standard allows comes back, what it forbids is closed with the code that it names."""
    case = CASES[name]
    back, end, wire = await answered(port, ECHOES["lab"], case.sent + closing(1000))
    await wire.close()
    assert (back, end) == (case.back, case.end)


FATAL = {name: case for name, case in CASES.items() if case.end in (PROTOCOL_ERROR, INVALID_DATA)}
SOCKETS = ["/websocket?after=latest", "/websocket?receive=0", "/live", "/live?light=1"]


@pytest.fixture(scope="module")
def school():
    """A lab whose limits are as they come, and that sends something at every moment."""
    with LabHere(limits={"per_address": 0}, heartbeat=0.01, patience=60.0) as school:
        yield school


@pytest.mark.parametrize("path", SOCKETS)
async def test_every_socket_of_the_lab_closes_with_the_right_code(path, school, no_traceback):
    """Each of the lab's sockets closes with the code that the standard names, and sends nothing more."""
    ends = {}
    for name, case in FATAL.items():
        _, ends[name], wire = await answered(school.lab.port, path, case.sent)
        await wire.close()
    assert ends == {name: case.end for name, case in FATAL.items()}


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("size", [16_385, 1_000_000])
@pytest.mark.parametrize("count", [1, 3], ids=["whole", "in pieces"])
async def test_a_message_that_is_too_long_gets_its_close_code(path, size, count, school, no_traceback):
    """The client can send all of it and still read the code, however long it is."""
    piece = b"x" * (size // count + 1)
    _, end, wire = await answered(school.lab.port, path, pieces(*[piece] * count))
    await wire.close()
    assert end == TOO_BIG


FLOOD = """if True:
    import socket, sys
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.setblocking(True)
    while True:
        connection.sendall(bytes(4_000_000))
"""


async def flood(wire):
    """A process that sends on this connection as fast as it can, until the connection is over."""
    file = wire.socket.fileno()
    command = [sys.executable, "-c", FLOOD, str(file)]
    return await asyncio.create_subprocess_exec(*command, pass_fds=[file], stderr=asyncio.subprocess.DEVNULL)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows hands no connection to a child process")
async def test_clients_that_never_stop_keep_no_one_waiting(school):
    """Refused clients that go on sending as fast as they can are read last; others are answered."""
    wires = [(await answered(school.lab.port, "/live", client_frame(3, b"")))[2] for _ in range(2)]
    floods = [await flood(wire) for wire in wires]
    answers, meanwhile = [], 0
    while len(answers) < 40 and all(flood.returncode is None for flood in floods):
        answers.append(await fetch(school.lab.port, "GET", "/healthz"))
        meanwhile += all(flood.returncode is None for flood in floods)
    assert meanwhile > 1, "answered only when they were over"
    assert {answer.status for answer in answers} == {200}
    for flooding in floods:
        with suppress(ProcessLookupError):
            flooding.kill()
        await flooding.wait()


async def test_the_bytes_of_a_refused_frame_are_counted(school):
    """Whatever ends a socket, every byte of it is counted once, and nothing is held by it for long."""
    before = await meters(school.lab.port)
    wires = []
    for case in FATAL.values():
        _, _, wire = await answered(school.lab.port, SOCKETS[0], case.sent + b"more" * 1000)
        await wire.close()
        wires.append(wire)

    async def left():
        return await held(school.lab.port, "websocket") == 0

    await eventually(left, "all sockets are over")
    grown = growth(before, await meters(school.lab.port))["techniques"]["websocket"]
    moved = [sum(grown[use][way] for use in ("receive", "send")) for way in ("bytes_in", "bytes_out")]
    assert moved == [sum(len(wire.sent) for wire in wires), sum(len(wire.received) for wire in wires)]


async def test_a_send_in_pieces_around_a_ping_weighs_what_it_took(school):
    """Each frame of a send is a send's, and the ping between them is not."""
    before = await meters(school.lab.port)
    listener = await client("websocket", school.lab.port).connect("latest")
    ping, text = client_frame(PING, b"?"), json.dumps(draft()).encode()
    sent = pieces(text[:9], text[9:20], text[20:], between=ping)
    await listener.wire.send(sent)
    await listener.receive(1)
    await listener.listen_until(lambda: listener.answers)
    send = growth(before, await meters(school.lab.port))["techniques"]["websocket"]["send"]
    weight = len(sent) - 2 * len(ping)
    assert (send["frames_in"], send["bytes_in"], send["payload_bytes"]) == (3, weight, len(text))
    assert send["framing_bytes"] == weight - len(text) + listener.answer_bytes


async def test_a_witness_reads_the_code(school):
    """The `websockets` client reads code and reason of a refused frame."""
    url = f"ws://{HOST}:{school.lab.port}/websocket?after=latest"
    async with websockets.connect(url) as socket:
        socket.transport.write(client_frame(3, b"x"))
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
    assert (socket.close_code, socket.close_reason) == (PROTOCOL_ERROR, "reserved opcode")


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(autobahn.missing()), reason=autobahn.missing() or "it is there")
def test_autobahn_finds_nothing_worse_than_in_tornado(port):
    """The lab fails none of some 250 cases, and in none it behaves, or closes, worse than Tornado's own."""
    found = autobahn.verdicts(port)
    assert len(found["lab"]) == len(found["tornado"]) > 200
    assert {behaved for behaved, _ in found["lab"].values()} <= {"OK", "INFORMATIONAL", "NON-STRICT"}
    assert autobahn.worse(found) == {}
