"""The dissector against the examples of the standards, and against a WebSocket library by other people."""

import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from lab.anatomy import NOTES, LeftOut, Part, accept_steps, dissect

HELLO = b"Hello"


def units(came, *pieces, head=""):
    """The units of bytes in hexadecimal, after a 101 with these header fields or after nothing."""
    data = b"".join(bytes.fromhex(piece) for piece in pieces)
    start = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n{head}\r\n".encode() if head else b""
    found = dissect([Part(0, False, start), Part(1, came, data)], "websocket")
    return [unit for unit in found if unit.kind != "response"]


def shown(unit):
    """The fields of a unit: name, length and value."""
    return [(field.name, field.end - field.start, field.value) for field in unit.fields]


def says(unit):
    """What the last field of a unit says."""
    return unit.fields[-1].value


# RFC 6455 -----------------------------------------------------------------------------------------


def test_the_accept_value_step_by_step():
    """The example of section 1.3: key, GUID, SHA-1, Base64."""
    steps = accept_steps("dGhlIHNhbXBsZSBub25jZQ==")
    assert base64.b64decode(steps.key) == b"the sample nonce"
    assert steps.text == "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    assert steps.sha1 == "b37a4f2cc0624f1690f64606cf385945b2bec4ea"
    assert steps.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_key_for_which_another_value_is_right():
    """A value that some notes give for another key belongs to this one."""
    assert accept_steps("sN9cRrP/n9NdMgdcy2VJFQ==").accept == "fFBooB7FAkLlXgRSz0BT3v4hq5s="


def test_a_plain_and_a_masked_text():
    """The first two examples of section 5.7, field by field."""
    (plain,), (masked,) = units(False, "810548656c6c6f"), units(True, "818537fa213d7f9f4d5158")
    assert shown(plain) == [
        ("fin-rsv-opcode", 1, "FIN 1 = text"),
        ("mask-length", 1, "5"),
        ("message", 5, "Hello"),
    ]
    assert shown(masked) == [
        ("fin-rsv-opcode", 1, "FIN 1 = text"),
        ("mask-length", 1, "MASK 5"),
        ("masking-key", 4, "37fa213d"),
        ("message", 5, "Hello"),
    ]
    assert [field.part for field in masked.fields] == ["framing"] * 3 + ["payload"]


def test_fragments_with_a_ping_between():
    """The third example of section 5.7, and a control frame inside the message."""
    first, ping, last = units(False, "010348656c", "8900", "80026c6f")
    assert [unit.kind for unit in (first, ping, last)] == ["text", "ping", "continuation"]
    assert (says(first), says(last)) == ("Hel", "lo")
    assert shown(first)[0][2] == "1 = text" and shown(last)[0][2] == "FIN 0 = continuation"


def test_a_ping_and_its_pong():
    """The fourth example of section 5.7: a pong repeats the data of its ping, masked by a client."""
    (ping,), (pong,) = units(False, "890548656c6c6f"), units(True, "8a8537fa213d7f9f4d5158")
    assert (ping.kind, says(ping)) == ("ping", "Hello")
    assert (pong.kind, says(pong)) == ("pong", "Hello")
    assert {field.part for unit in (ping, pong) for field in unit.fields} == {"framing"}


@pytest.mark.parametrize(("size", "header"), [(256, "827e0100"), (65_536, "827f0000000000010000")])
def test_a_longer_length(size, header):
    """The last two examples of section 5.7: 256 bytes and 64 KiB, with 2 and 8 more bytes of length."""
    (unit,) = units(False, header, "00" * size)
    assert unit.kind == "binary"
    assert shown(unit)[2] == ("extended-length", len(header) // 2 - 2, str(size))
    assert unit.fields[-1].end - unit.fields[-1].start == size


@pytest.mark.parametrize("masked", [False, True], ids=["server", "client"])
@pytest.mark.parametrize(("size", "header"), [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)])
def test_the_header_of_each_length(size, header, masked):
    """2, 4 or 10 bytes, and 4 more with a mask (section 5.2)."""
    (unit,) = units(masked, frame(Opcode.TEXT, b"x" * size, masked).hex())
    framing = sum(field.end - field.start for field in unit.fields if field.part == "framing")
    assert framing == header + 4 * masked


@pytest.mark.parametrize(
    ("hex_", "code", "reason", "note"),
    [
        ("8800", None, None, None), ("880203e8", "1000", None, "close-code"),
        ("880503e8627965", "1000", "bye", "close-code"), ("880203ed", "1005", None, "close-code.never"),
        ("88020fbd", "4029", None, "close-code"), ("880103", None, None, None),
    ],
)  # fmt: skip
def test_a_close_frame(hex_, code, reason, note):
    """Its code and its reason are fields; codes that are never sent have a sentence of their own (7.4.1)."""
    (unit,) = units(False, hex_)
    values = {field.name: field.value for field in unit.fields}
    assert (unit.kind, values.get("close-code"), values.get("close-reason")) == ("close", code, reason)
    assert note in [None, *(field.note for field in unit.fields)]


FORBIDDEN = {
    "a client must mask it": (True, "810548656c6c6f"),
    "a server must not mask it": (False, "818537fa213d7f9f4d5158"),
    "reserved bits": (False, "a10548656c6c6f"),
    "opcode 3 is reserved": (False, "830548656c6c6f"),
    "a control frame is whole and short": (False, "897e007e" + "00" * 126),
    "length not in its shortest form": (False, "817e000548656c6c6f"),
    "a continuation without a start": (False, "80026c6f"),
    "a message inside a message": (False, "010348656c810548656c6c6f"),
}


@pytest.mark.parametrize("reason", FORBIDDEN)
def test_what_breaks_a_rule_is_no_frame(reason):
    """It is one unit with one field, which states the rule, and the next frame is dissected again."""
    came, hex_ = FORBIDDEN[reason]
    good = "818000000000" if came else "8100"
    found = units(came, hex_, good, head="X: y\r\n")
    wrong = [unit for unit in found if unit.kind == f"not a frame: {reason}"]
    assert [len(unit.fields) for unit in wrong] == [1]
    assert [field.part for unit in wrong for field in unit.fields] == ["framing"]
    assert found[-1].kind == "text" and len(found[-1].fields) == 2 + came


def test_compression_that_was_not_agreed():
    """RSV1 breaks a rule after a handshake without the extension, and not when the handshake is not known."""
    assert [unit.kind for unit in units(False, "c107f248cdc9c90700", head="X: y\r\n")] == [
        "not a frame: reserved bits"
    ]
    assert says(units(False, "c107f248cdc9c90700")[0]) == "Hello"


# RFC 7692 -----------------------------------------------------------------------------------------

AGREED = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
FRESH = f"{AGREED[:-2]}; server_no_context_takeover\r\n"
THIRD = "02130000"


def test_a_compressed_message():
    """The example of section 7.2.3.1: 7 bytes that say Hello."""
    (unit,) = units(False, "c107f248cdc9c90700", head=AGREED)
    assert (unit.fields[-1].part, says(unit), unit.fields[-1].saved) == ("payload", "Hello", -2)


def test_the_window_that_is_kept():
    """The example of section 7.2.3.2: the same message again takes 5 bytes, and then 4."""
    found = units(False, "c107f248cdc9c90700", "c105f200110000", f"c104{THIRD}", head=AGREED)
    assert [says(unit) for unit in found] == ["Hello"] * 3
    squeeze = zlib.compressobj(wbits=-15)
    packed = [(squeeze.compress(HELLO) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4].hex() for _ in range(3)]
    assert packed == ["f248cdc9c90700", "f200110000", THIRD]


@pytest.mark.parametrize(("size", "text"), [(0, "Hello"), (9, "")])
def test_the_window_at_a_place_where_bytes_are_missing(size, text):
    """A message that refers back over missing bytes is not shown; where none are missing, it is."""
    first, second = (Part(0, False, bytes.fromhex(hex_)) for hex_ in ("c107f248cdc9c90700", "c105f200110000"))
    assert says(dissect([first, LeftOut(1, False, size), second])[-1]) == text


def test_the_window_that_is_not_kept():
    """Each message is the same 7 bytes; one that refers back cannot be read, and is not shown wrong."""
    found = units(False, "c107f248cdc9c90700" * 2, "c105f200110000", head=FRESH)
    assert [says(unit) for unit in found] == ["Hello", "Hello", ""]


@pytest.mark.parametrize("payload", ["f248cdc9c90700", "000500faff48656c6c6f00", "f348cdc9c9070000"])
def test_every_form_of_the_same_message(payload):
    """Sections 7.2.3.3 and 7.2.3.4: a block without compression, and one that is marked as the last."""
    (unit,) = units(False, f"c1{len(payload) // 2:02x}", payload, head=AGREED)
    assert says(unit) == "Hello"


def test_a_stream_that_ends_inside_a_message():
    """Section 7.2.3.4: behind a block marked as the last another stream begins, with the same window."""
    again, both = "f200110000", "f348cdc9c90700" + "f248cdc9c90700"
    found = units(False, "c108f348cdc9c9070000", f"c105{again}", f"c1{len(both) // 2:02x}{both}", head=AGREED)
    assert [says(unit) for unit in found] == ["Hello", "Hello", "HelloHello"]


def test_a_compressed_message_in_fragments():
    """Section 7.2.3.1: RSV1 stands in the first frame only, and the text in the last field."""
    first, last = units(False, "4103f248cd", "8004c9c90700", head=AGREED)
    assert (says(first), says(last)) == ("", "Hello")


# Another library ----------------------------------------------------------------------------------


def frame(opcode, data, mask, fin=True, extensions=()):
    """A frame as the `websockets` package writes it."""
    return Frame(opcode, data, fin).serialize(mask=mask, extensions=list(extensions))


def parsed(data, mask, extension):
    """The frames that the `websockets` package reads: opcode, FIN, payload, and the bytes each took."""
    place = 0

    def read_exact(count):
        nonlocal place
        place += count
        return data[place - count : place]
        yield

    while place < len(data):
        start, reading = place, Frame.parse(read_exact, mask=mask, extensions=extension)
        try:
            next(reading)
        except StopIteration as done:
            yield done.value.opcode, done.value.fin, bytes(done.value.data), place - start


DATA = st.tuples(
    st.sampled_from([Opcode.TEXT, Opcode.PING, Opcode.PONG]), st.text(max_size=100), st.booleans()
)


@given(st.lists(DATA, max_size=6), st.booleans(), st.booleans())
def test_another_library_reads_the_same_frames(messages, masked, compressed):
    """Same opcodes, lengths and payloads, for each side, with compression and without."""
    extensions = [[PerMessageDeflate(False, False, 15, 15)] if compressed else [] for _ in range(2)]
    data = b""
    for opcode, text, long in messages:
        payload = text.encode() * (9 if long and opcode is Opcode.TEXT else 1)
        payload = payload if opcode is Opcode.TEXT else payload[:125].decode(errors="ignore").encode()
        data += frame(opcode, payload, masked, extensions=extensions[0])
    expected = [
        (opcode.name.lower(), size, payload.decode())
        for opcode, _, payload, size in parsed(data, masked, extensions[1])
    ]
    found = units(masked, data.hex(), head=AGREED if compressed else "X: y\r\n")
    assert [
        (unit.kind, unit.fields[-1].end - unit.fields[0].start, text_of(unit)) for unit in found
    ] == expected


def text_of(unit):
    """The payload of a frame as text; a frame without one has no field for it."""
    last = unit.fields[-1]
    return last.value if last.name in ("message", "application-data") else ""


def test_a_message_in_many_frames_is_read_by_both():
    """Fragments of the `websockets` package, with a close at the end."""
    data = frame(Opcode.TEXT, b"one ", True, False) + frame(Opcode.CONT, b"two", True)
    data += frame(Opcode.CLOSE, struct.pack("!H", 1001) + b"away", True)
    kinds = [(opcode.name, payload) for opcode, _, payload, _ in parsed(data, True, [])]
    assert kinds == [("TEXT", b"one "), ("CONT", b"two"), ("CLOSE", b"\x03\xe9away")]
    assert [(unit.kind, says(unit)) for unit in units(True, data.hex())] == [
        ("text", "one "),
        ("continuation", "two"),
        ("close", "away"),
    ]


def test_every_note_is_one_sentence():
    """Each sentence stands once, ends with a full stop, and names no field of another key."""
    assert len(set(NOTES.values())) == len(NOTES)
    assert [key for key, text in NOTES.items() if not text.endswith(".") or "\n" in text] == []
