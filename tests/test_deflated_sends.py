"""Compressed sends against RFC 7692: what is received, what is refused, what is counted."""

import json
import os
import zlib

import pytest

from lab.techniques.client_frames import FrameError
from lab.techniques.deflate import Agreement, Inflater, deflate
from tests.support.counting import growth
from tests.support.drafts import draft
from tests.support.framings import BINARY, CLOSE, DEFLATE, PING, PONG, TEXT, client_frame, read_frame
from tests.support.lab_state import meters, publish
from tests.support.listeners import client

pytestmark = pytest.mark.usefixtures("no_traceback")

CONTINUATION, LAST, RSV1 = 0, 0x80, 0x40
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009


# What is received ---------------------------------------------------------------------------------


class Packer:
    """A client that compresses; it refers back to its earlier messages unless that is switched off."""

    def __init__(self, bits=15, refers_back=True):
        self.bits, self.refers_back = bits, refers_back
        self.squeeze = zlib.compressobj(wbits=-bits)

    def __call__(self, data):
        """One message without its tail."""
        if not self.refers_back:
            self.squeeze = zlib.compressobj(wbits=-self.bits)
        return (self.squeeze.compress(data) + self.squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def listener_of(port, offer=DEFLATE):
    """A client that has agreed on this offer, and only sends."""
    headers = {"Sec-WebSocket-Extensions": offer}
    return await client("websocket", port, headers=headers, receive="0").connect()


def send_of(text="hello"):
    """A send as JSON."""
    return json.dumps(draft(text)).encode()


def packed_frame(payload, opcode=TEXT, bits=LAST):
    """A frame that is marked as compressed."""
    return client_frame(opcode, payload, bits | RSV1)


def packed_pieces(payload, count, between=b""):
    """A compressed message in so many frames; only the first is marked."""
    size = -(-len(payload) // count)
    parts = [payload[n * size : (n + 1) * size] for n in range(count)]
    frames = [packed_frame(parts[0], bits=0)] + [client_frame(CONTINUATION, part, 0) for part in parts[1:-1]]
    return between.join([*frames, client_frame(CONTINUATION, parts[-1])])


async def kinds(listener, count):
    """The types of the next so many answers."""
    await listener.listen_until(lambda: len(listener.answers) >= count)
    return [reply["type"] for reply in listener.answers]


REFERENCES = [
    (15, True, DEFLATE),
    (15, False, f"{DEFLATE}; client_no_context_takeover"),
    (15, False, DEFLATE),
]
REFERENCES += [(bits, True, f"{DEFLATE}; client_max_window_bits={bits}") for bits in (9, 12)]
REFERENCES += [(9, False, f"{DEFLATE}; client_no_context_takeover; client_max_window_bits=9")]


@pytest.mark.parametrize(("bits", "refers_back", "offer"), REFERENCES, ids=str)
async def test_compressed_sends_are_accepted(bits, refers_back, offer, packing):
    """Several sends of one client, compressed as agreed, some not compressed at all, are all stored."""
    listener, pack = await listener_of(packing, offer), Packer(bits, refers_back)
    sends = [send_of(text) for text in ("one " * 90, "two", "one " * 90)]
    for send in sends:
        await listener.wire.send(packed_frame(pack(send)) + client_frame(TEXT, send))
    assert await kinds(listener, 6) == ["ack"] * 6
    assert [reply["duplicate"] for reply in listener.answers] == [False, True] * 3


@pytest.mark.parametrize("count", [2, 3, 10])
@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_control_frame_between_compressed_pieces_changes_nothing(count, opcode, packing):
    """A ping or a pong between the frames of a compressed send, and behind it, does no harm."""
    listener, pack = await listener_of(packing), Packer()
    control = client_frame(opcode, b"?")
    for text in ("one " * 90, "two " * 90):
        await listener.wire.send(packed_pieces(pack(send_of(text)), count, control) + control)
    assert await kinds(listener, 2) == ["ack", "ack"]


async def test_the_mark_of_one_message_is_not_the_next_ones(packing):
    """Each message says for itself whether it is compressed, in pieces too."""
    listener, pack = await listener_of(packing), Packer()
    texts = [send_of(text) for text in "abcd"]
    plain_pieces = client_frame(TEXT, texts[1][:9], 0) + client_frame(CONTINUATION, texts[1][9:])
    await listener.wire.send(packed_pieces(pack(texts[0]), 2) + plain_pieces)
    await listener.wire.send(packed_frame(pack(texts[2])) + client_frame(TEXT, texts[3]))
    assert await kinds(listener, 4) == ["ack"] * 4


def ended(data):
    """The same as a deflate stream that ends, and the empty block behind it (RFC 7692 section 7.2.3.4)."""
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush(zlib.Z_FINISH) + b"\x00"


async def test_a_stream_may_end_with_each_message(packing):
    """Messages whose last block says that it is the last are read, and may be followed by references back."""
    listener = await listener_of(packing)
    await listener.wire.send(packed_frame(ended(send_of("a"))) + packed_frame(ended(send_of("b"))[:-1]))
    await listener.wire.send(packed_frame(Packer()(send_of("c"))))
    assert await kinds(listener, 3) == ["ack"] * 3


def test_references_reach_over_the_end_of_a_stream():
    """After a stream has ended, the next message may still refer to what was before (RFC 7692 7.2.3.4)."""
    inflater, known = Inflater(Agreement([]), 10_000), os.urandom(500)
    assert inflater.read(ended(known)) == known
    squeeze = zlib.compressobj(wbits=-15, zdict=known)
    data = (squeeze.compress(known) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert len(data) < 50
    assert inflater.read(data) == known


def test_the_example_messages_of_the_standard():
    """All payloads that RFC 7692 section 7.2.3 shows are read as it says."""
    inflater = Inflater(Agreement([]), 100)
    for payload in ("f248cdc9c90700", "f200110000", "000500faff48656c6c6f00", "f348cdc9c9070000"):
        assert inflater.read(bytes.fromhex(payload)) == b"Hello"
    assert inflater.read(bytes.fromhex("f248050000 00ffffcac9c90700")) == b"Hello"
    assert inflater.read(b"\x00") == b""


@pytest.mark.parametrize("empty", [b"\x00", b"", b"\x02\x00", b"\x03\x00\x00"], ids=bytes.hex)
async def test_an_empty_compressed_message_is_a_message(empty, packing):
    """It holds no JSON, which is an error, and the socket stays open for the next."""
    listener, pack = await listener_of(packing), Packer()
    for _ in range(2):
        await listener.wire.send(packed_frame(empty) + packed_frame(pack(send_of())))
    assert await kinds(listener, 4) == ["error", "ack"] * 2
    assert listener.answers[0]["error"]["code"] == "bad_json"


@pytest.mark.parametrize("most", [1, 5, 100])
def test_a_message_is_unpacked_up_to_its_limit(most):
    """Exactly as many bytes as the limit are read, one more is too many."""
    inflater = Inflater(Agreement([]), most)
    assert inflater.read(deflate(b"x" * most)) == b"x" * most
    with pytest.raises(FrameError) as refused:
        inflater.read(deflate(b"x" * (most + 1)))
    assert refused.value.code == TOO_BIG


# What is refused ----------------------------------------------------------------------------------

WHOLE = Packer()(send_of("cut me " * 20))
REFUSED = {
    "no deflate": (packed_frame(b"\xff" * 30), INVALID_DATA),
    "no deflate in pieces": (packed_pieces(b"\xff" * 30, 3), INVALID_DATA),
    "no deflate as bytes": (packed_frame(b"\xff" * 30, BINARY), INVALID_DATA),
    "a text that is not compressed": (packed_frame(send_of()), INVALID_DATA),
    "a cut message": (packed_frame(WHOLE[: len(WHOLE) // 2]), INVALID_DATA),
    "a message without its last byte": (packed_frame(WHOLE[:-1]), INVALID_DATA),
    "something behind the end": (packed_frame(ended(b"{}") + b"\xff\xff"), INVALID_DATA),
    "zlib's own head": (packed_frame(zlib.compress(send_of())), INVALID_DATA),
    "a reference to nothing": (packed_frame(b"\x4b\x04\xc1\x00"), INVALID_DATA),
    "bad text": (packed_frame(Packer()(b"\xff\xfe")), INVALID_DATA),
    "bad text in pieces": (packed_pieces(Packer()("长".encode()[:2] * 9), 3), INVALID_DATA),
    "a bomb": (packed_frame(Packer()(b"x" * 10_000_000)), TOO_BIG),
    "a bomb in pieces": (packed_pieces(Packer()(b"x" * 10_000_000), 3), TOO_BIG),
    "a bomb of bytes": (packed_frame(Packer()(b"x" * 10_000_000), BINARY), TOO_BIG),
    "one byte too many": (packed_frame(Packer()(b"x" * 16_385)), TOO_BIG),
    "a marked ping": (packed_frame(b"x", PING), PROTOCOL_ERROR),
    "a marked pong": (packed_frame(b"x", PONG), PROTOCOL_ERROR),
    "a marked close": (packed_frame(b"\x03\xe8", CLOSE), PROTOCOL_ERROR),
    "a marked continuation": (
        packed_frame(WHOLE[:9], bits=0) + packed_frame(WHOLE[9:], CONTINUATION),
        PROTOCOL_ERROR,
    ),
    "a marked continuation of a plain text": (
        client_frame(TEXT, b"{", 0) + packed_frame(b"}", CONTINUATION),
        PROTOCOL_ERROR,
    ),
    "RSV2": (client_frame(TEXT, b"{}", LAST | 0x20), PROTOCOL_ERROR),
    "RSV3 of a compressed text": (client_frame(TEXT, WHOLE, LAST | RSV1 | 0x10), PROTOCOL_ERROR),
}


async def close_of(listener):
    """Read to the close frame, and to the end; returns the code."""
    while (frame := await read_frame(listener.wire)).opcode != CLOSE:
        assert frame.opcode in (TEXT, PONG)
    assert await listener.wire.take_rest() == b""
    await listener.wire.close()
    return frame.close_code


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("offer", [DEFLATE, f"{DEFLATE}; client_no_context_takeover"], ids=["kept", "fresh"])
async def test_bad_data_is_refused_with_its_code(name, offer, packing):
    """What RFC 7692 forbids and what cannot be unpacked closes with a code, and not a byte is lost."""
    data, code = REFUSED[name]
    before = await meters(packing)
    listener = await listener_of(packing, offer)
    await listener.wire.send(data)
    assert await close_of(listener) == code
    await listener_of(packing)  # the lab lives
    grown = growth(before, await meters(packing))["techniques"]["websocket"]
    assert sum(grown[use]["bytes_in"] for use in grown if use != "open") >= len(listener.wire.sent)


async def test_a_client_keeps_what_it_agreed(packing):
    """A message that refers to an earlier one, where the client has agreed not to do that, is refused."""
    listener, pack = await listener_of(packing, f"{DEFLATE}; client_no_context_takeover"), Packer()
    await listener.wire.send(
        packed_frame(pack(send_of("same " * 20))) + packed_frame(pack(send_of("same " * 20)))
    )
    assert await close_of(listener) == INVALID_DATA


@pytest.mark.parametrize("offer", ["", f"{DEFLATE}; foo", "x-permessage-deflate"])
async def test_nothing_is_compressed_without_agreement(offer, packing):
    """Without an agreement the lab sends plain frames, and a marked one is an error."""
    headers = {"Sec-WebSocket-Extensions": offer}
    listener = await client("websocket", packing, headers=headers).connect("latest")
    ids = await publish(packing, 1, "a" * 300)
    await listener.receive_until(ids[-1])
    assert not any(frame.deflated for frame in listener.frames)
    await listener.wire.send(packed_frame(WHOLE))
    assert await close_of(listener) == PROTOCOL_ERROR


# What is counted ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [9, 15])
async def test_what_compression_saved_is_counted_to_the_byte(bits, packing):
    """Framing is the heads of the frames, exactly, whatever became of the payload on its way."""
    before = await meters(packing)
    headers = {"Sec-WebSocket-Extensions": f"{DEFLATE}; server_max_window_bits={bits}"}
    listener = await client("websocket", packing, headers=headers).connect("latest")
    ids = await publish(packing, 3, "a" * 300) + await publish(packing, 1, "b")
    await listener.receive_until(ids[-1])
    counts = growth(before, await meters(packing))["techniques"]["websocket"]["receive"]
    assert counts["payload_bytes"] == listener.received_payload
    assert counts["framing_bytes"] == sum(frame.size - len(frame.payload) for frame in listener.frames)


@pytest.mark.parametrize("count", [2, 5])
async def test_a_compressed_send_in_pieces_is_counted_to_the_byte(count, packing):
    """The heads and masks of all its frames are framing; a ping between them is the receiver's."""
    before = await meters(packing)
    listener = await client("websocket", packing, headers={"Sec-WebSocket-Extensions": DEFLATE}).connect(
        "latest"
    )
    send, ping = send_of("b" * 400), client_frame(PING, b"?")
    packed = Packer()(send)
    await listener.wire.send(packed_pieces(packed, count, ping))
    assert await kinds(listener, 1) == ["ack"]
    counts = growth(before, await meters(packing))["techniques"]["websocket"]["send"]
    framing = (2 + 4) * count + listener.answer_bytes
    assert (counts["payload_bytes"], counts["framing_bytes"]) == (len(send), framing)
    assert counts["bytes_in"] + counts["bytes_out"] == framing + len(packed)
