"""`--compress kept`: each client has a compressor that keeps its window and stays in step with the client."""

import json
import os
import zlib

import aiohttp
import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from lab.techniques import streaming
from lab.techniques.deflate import Packer
from lab.techniques.frames import data_frame
from tests.support.counting import assert_conserved, growth
from tests.support.drafts import draft, number
from tests.support.framings import DEFLATE, read_frame
from tests.support.lab_here import LabHere
from tests.support.lab_state import here, meters, publish
from tests.support.listeners import client
from tests.support.wire import HOST

pytestmark = pytest.mark.usefixtures("no_traceback")
OFFER = {"Sec-WebSocket-Extensions": DEFLATE}
NO_TAKEOVER = "server_no_context_takeover"


@pytest.fixture(scope="module")
def keeping():
    """The port of a lab that keeps the window of each client."""
    limits = {"rate": 0, "per_address": 0, "message_chars": 40_000}
    with LabHere(compress="kept", limits=limits, patience=60.0) as school:
        yield school.lab.port


def test_the_vectors_of_the_standard():
    """Hello, again, and a third time with the window kept (RFC 7692 section 7.2.3.2)."""
    packer = Packer(15)
    assert [packer.pack(b"Hello").hex() for _ in range(3)] == ["f248cdc9c90700", "f200110000", "02130000"]


def test_frames_are_packed_in_order():
    """Each frame of the shared bytes becomes one frame of this client; what was saved is known for each."""
    packer, shared = Packer(15), data_frame(1, b"Hello") * 2 + data_frame(1, b"x" * 70_000)
    found = packer.seal(shared)
    assert found.startswith(bytes.fromhex("c107f248cdc9c90700c105f200110000c1"))
    assert packer.saved == [-2, 0, 70_000 - (len(found) - 18)]


async def received(port, headers, texts):
    """The frames that a new listener receives of these messages."""
    listener = await client("websocket", port, headers=headers).connect(await here(port))
    for text in texts:
        await publish(port, 1, text)
    await listener.receive(len(texts))
    await listener.leave()
    assert all(frame.deflated for frame in listener.frames if frame.opcode == 1)
    return [frame for frame in listener.frames if frame.opcode == 1]


async def test_a_later_message_refers_back(keeping):
    """The same text a second time is much shorter; without takeover it is not."""
    text = os.urandom(100).hex()
    first, second = await received(keeping, OFFER, [text] * 2)
    assert len(first.payload) > 150 and len(second.payload) < 110
    offer = {"Sec-WebSocket-Extensions": f"{DEFLATE}; {NO_TAKEOVER}"}
    first, second = await received(keeping, offer, [text] * 2)
    assert abs(len(first.payload) - len(second.payload)) < 10
    for frame in (first, second):
        assert json.loads(zlib.decompressobj(-15).decompress(frame.payload + b"\0\0\xff\xff"))


@pytest.mark.parametrize("bits", range(9, 16))
async def test_the_window_is_the_one_that_was_agreed(bits, keeping):
    """A client that keeps only the agreed window reads everything, also what is longer than it."""
    headers = {"Sec-WebSocket-Extensions": f"{DEFLATE}; server_max_window_bits={bits}"}
    listener = await client("websocket", keeping, headers=headers).connect("latest")
    text = os.urandom(2 ** min(bits - 1, 13)).hex() + "a little more than the window"
    ids = await publish(keeping, 4, text)
    inflate, found = zlib.decompressobj(-bits), []
    for _ in ids:
        frame = await read_frame(listener.wire)
        found.append(json.loads(inflate.decompress(frame.payload + b"\0\0\xff\xff"))["id"])
    assert found == ids


async def test_a_slow_client_keeps_step(keeping, monkeypatch):
    """What was not sent was not packed: a client that reads late can unpack all, after a gap as well."""
    monkeypatch.setattr(streaming, "PATIENCE_S", 600.0)  # on a busy machine sending alone takes over ten
    start = number(await here(keeping))
    listener = await client("websocket", keeping, headers=OFFER, takes=4096).connect("latest")
    before = await meters(keeping)
    sender = client("shortpoll", keeping)  # one connection for all
    bodies = ["again"] * 20 + [os.urandom(15_000).hex() for _ in range(130)]
    ids = [(await sender.send(body)).id for body in bodies]
    await listener.receive_until(ids[-1])
    missed = sum(event["missed"] for event in listener.events if event["type"] == "gap")
    assert missed > 0 and len(listener.ids) + missed == number(ids[-1]) - start
    more = await publish(keeping, 3, "again")
    await listener.receive_until(more[-1])
    await listener.leave()
    grown = growth(before, await meters(keeping))["techniques"]["websocket"]["receive"]
    assert grown["payload_bytes"] == listener.received_payload and grown["framing_bytes"] > 0
    assert_conserved(await meters(keeping))


async def test_clients_that_come_and_go(keeping):
    """Each has its own window, whenever it came, beside others that compress nothing."""
    early = await client("websocket", keeping, headers=OFFER).connect("latest")
    await publish(keeping, 3, "again and again")
    late = await client("websocket", keeping, headers=OFFER).connect("latest")
    plain = await client("websocket", keeping).connect("latest")
    fresh = await client(
        "websocket", keeping, headers={"Sec-WebSocket-Extensions": f"{DEFLATE}; {NO_TAKEOVER}"}
    ).connect("latest")
    ids = await publish(keeping, 3, "again and again")
    for listener in (early, late, plain, fresh):
        await listener.receive_until(ids[-1])
    assert late.events == plain.events == fresh.events == early.events[3:]
    sizes = [len(listener.frames[-1].payload) for listener in (early, late, fresh, plain)]
    assert sizes == sorted(sizes) and sizes[1] < sizes[2]


async def test_an_ack_between_messages(keeping):
    """Replies are not compressed, and disturb no window."""
    listener = await client("websocket", keeping, headers=OFFER).connect("latest")
    for _ in range(5):
        await listener.send("hello hello")
    await listener.receive(5)
    assert [frame.deflated for frame in listener.frames].count(True) == 5
    assert len(listener.answers) == 5


@pytest.mark.parametrize(
    "settings",
    [{}, {NO_TAKEOVER: True}, *({"server_max_window_bits": bits} for bits in range(8, 16))],
    ids=str,
)
async def test_another_library_agrees_with_the_lab(settings, keeping):
    """The `websockets` client, however it is set, receives every message."""
    extension = ClientPerMessageDeflateFactory(**settings)
    url = f"ws://{HOST}:{keeping}/websocket?after=latest"
    async with websockets.connect(url, compression=None, extensions=[extension]) as socket:
        ids = await publish(keeping, 10, "again and again " * 10)
        assert [json.loads(await socket.recv())["id"] for _ in ids] == ids


async def test_aiohttp_agrees_with_the_lab(keeping):
    """The client of the measurements."""
    url = f"http://{HOST}:{keeping}/websocket?after=latest"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, compress=15) as socket:
        await socket.send_str(json.dumps(draft("again " * 40)))
        assert {(await socket.receive_json())["type"] for _ in range(2)} == {"ack", "message"}
