"""The meters of WebSockets that compress: payload is what the messages weigh uncompressed."""

import json
import zlib
from collections import Counter

import websockets

from tests.support.counting import assert_conserved, assert_tally, growth, visit
from tests.support.drafts import draft
from tests.support.framings import TEXT, client_frame
from tests.support.lab_state import here, meters, publish
from tests.support.listeners import client
from tests.support.wire import HOST

DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate"}


def deflated(data):
    """A message as a compressing client sends it."""
    squeeze = zlib.compressobj(wbits=-15)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_compressed_payload_counts_uncompressed(compressing):
    """With compression payload stays the size of the messages, bytes get fewer, framing is not negative."""
    before = await meters(compressing)
    listener = await client("websocket", compressing, headers=DEFLATE).connect("latest")
    ids = await publish(compressing, 5, "a" * 400)
    await listener.receive_until(ids[-1])
    counts = growth(before, await meters(compressing))["techniques"]["websocket"]["receive"]
    assert all(frame.deflated for frame in listener.frames)
    assert counts["payload_bytes"] == listener.received_payload
    assert counts["bytes_out"] == len(listener.wire.received) < listener.received_payload
    assert 0 <= counts["framing_bytes"] < 200


async def test_a_compressed_send_counts_uncompressed(compressing):
    """A send that came compressed weighs what it weighs unpacked."""
    before = await meters(compressing)
    listener = await client("websocket", compressing, headers=DEFLATE).connect("latest")
    payload = json.dumps(draft("b" * 400)).encode()
    await listener.wire.send(client_frame(TEXT, deflated(payload), 0xC0))
    (message,) = await listener.receive()
    await listener.listen_until(lambda: listener.answers)
    counts = growth(before, await meters(compressing))["techniques"]["websocket"]["send"]
    assert message["body"] == "b" * 400
    assert (counts["messages"], counts["payload_bytes"]) == (1, len(payload))
    assert counts["bytes_in"] < len(payload)
    assert counts["framing_bytes"] >= 0


async def test_a_client_without_compression_is_counted_as_before(compressing):
    """A client that did not ask for compression gets plain frames, and its bytes add up exactly."""
    place, before = await here(compressing), await meters(compressing)
    listener = await visit("websocket", compressing, place)
    grown = growth(before, await meters(compressing))["techniques"]["websocket"]
    assert not any(frame.deflated for frame in listener.frames)
    assert_tally(grown["receive"], listener.tally("receive"))
    assert_tally(grown["send"], listener.tally("send"))


async def test_compression_conserves(compressing):
    """Compressed or not, the parts are the total."""
    listener = await client("websocket", compressing, headers=DEFLATE).connect("latest")
    await publish(compressing, 3)
    await listener.receive(3)
    await listener.leave()
    assert_conserved(await meters(compressing))


async def test_another_library_reads_all_compressed_messages(compressing):
    """The `websockets` client, which compresses by itself, receives every message and can send."""
    url = f"ws://{HOST}:{compressing}/websocket?after=latest"
    async with websockets.connect(url, compression="deflate") as socket:
        assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
        ids = await publish(compressing, 20, "long enough to be compressed " * 10)
        received = [json.loads(await socket.recv()) for _ in ids]
        await socket.send(json.dumps(draft("c" * 300)))
        rest = [json.loads(await socket.recv()) for _ in range(2)]
    assert [message["id"] for message in received] == ids
    assert Counter(event["type"] for event in rest) == {"ack": 1, "message": 1}
