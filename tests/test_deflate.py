"""Compression of WebSocket messages against RFC 7692: what is agreed, and what the lab sends."""

import json
import os
import zlib

import aiohttp
import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.support.drafts import draft
from tests.support.framings import DEFLATE, read_frame
from tests.support.lab_here import LabHere
from tests.support.lab_state import publish
from tests.support.listeners import client, handshake
from tests.support.wire import HOST, Wire

pytestmark = pytest.mark.usefixtures("no_traceback")

TAIL = b"\x00\x00\xff\xff"
NO_TAKEOVER = ["server_no_context_takeover", "client_no_context_takeover"]


@pytest.fixture(scope="module")
def plain():
    """A lab that does not compress."""
    with LabHere(limits={"per_address": 0}, patience=60.0) as school:
        yield school.lab.port


async def answer(port, *offers, path="/websocket?after=latest"):
    """The status of a handshake with these lines of offers, and which extension was accepted."""
    wire = await Wire.open(port)
    lines = "".join(f"Sec-WebSocket-Extensions: {offer}\r\n" for offer in offers)
    headers = "".join(f"{name}: {value}\r\n" for name, value in handshake().items())
    await wire.send(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}{lines}\r\n".encode("latin-1"))
    head = await wire.read_head()
    wire.abort()
    return head.status, head.headers.get("sec-websocket-extensions")


# What is agreed -----------------------------------------------------------------------------------

SAME = [
    DEFLATE,
    *(f"{DEFLATE}; {name}" for name in NO_TAKEOVER),
    f"{DEFLATE}; {'; '.join(NO_TAKEOVER)}",
    *(f"{DEFLATE}; server_max_window_bits={bits}" for bits in range(9, 16)),
    *(f"{DEFLATE}; client_max_window_bits={bits}" for bits in range(8, 16)),
    f"{DEFLATE}; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9",
]
"""Offers that the lab accepts word for word."""
ACCEPTED = {offer: offer for offer in SAME} | {
    f"{DEFLATE}; client_max_window_bits": DEFLATE,
    f'{DEFLATE}; server_max_window_bits="10"': f"{DEFLATE}; server_max_window_bits=10",
    f'{DEFLATE}; server_max_window_bits="1\\0"': f"{DEFLATE}; server_max_window_bits=10",
    f'{DEFLATE};client_max_window_bits="12"': f"{DEFLATE}; client_max_window_bits=12",
    f"{DEFLATE}\t;  server_max_window_bits = 10 ": f"{DEFLATE}; server_max_window_bits=10",
    f"{DEFLATE}; foo=1, {DEFLATE}; server_no_context_takeover": f"{DEFLATE}; server_no_context_takeover",
    f"{DEFLATE}; server_max_window_bits=8, {DEFLATE}": DEFLATE,
    f"{DEFLATE}; server_max_window_bits=12, {DEFLATE}": f"{DEFLATE}; server_max_window_bits=12",
    f'x-other; quoted="a, {DEFLATE}; b", {DEFLATE}; {NO_TAKEOVER[1]}': f"{DEFLATE}; {NO_TAKEOVER[1]}",
    f"bbf-usp-protocol, x-webkit-deflate-frame,, {DEFLATE},": DEFLATE,
}
BAD_VALUES = ["=0", "=7", "=16", "=08", "=015", "=-10", "=+10", "=1e1", "=ten", "=", '=""', '=" 10"', "=100"]
DECLINED = [
    "",
    "permessage-deflate-foo",
    "x-permessage-deflate",
    "Permessage-Deflate",
    "PERMESSAGE-DEFLATE",
    "permessage-bzip2",
    "deflate",
    f"x-webkit-deflate-frame; name={DEFLATE}",
    f"{DEFLATE}; foo",
    f"{DEFLATE}; foo=1",
    f"{DEFLATE}; permessage-deflate",
    f"{DEFLATE}; Server_No_Context_Takeover",
    f"{DEFLATE}; server_max_window_bits",
    f"{DEFLATE}; server_max_window_bits=8",
    *(f"{DEFLATE}; {side}_max_window_bits{value}" for side in ("server", "client") for value in BAD_VALUES),
    *(f"{DEFLATE}; {name}{value}" for name in NO_TAKEOVER for value in ("=", "=1", "=true", '=""')),
    *(f"{DEFLATE}; {name}; {name}" for name in NO_TAKEOVER),
    f"{DEFLATE}; client_max_window_bits; client_max_window_bits=10",
    f"{DEFLATE}; server_max_window_bits=10; server_max_window_bits=10",
]
MALFORMED = [
    "=",
    ";",
    f"{DEFLATE};",
    f"{DEFLATE}; ;",
    f"{DEFLATE}; =10",
    f"{DEFLATE} {DEFLATE}",
    f"{DEFLATE}; server_max_window_bits=1 0",
    f'{DEFLATE}; server_max_window_bits="10',
    f'{DEFLATE}; server_max_window_bits="10\\"',
    f"{DEFLATE}; server_max_window_bits==10",
    f'"{DEFLATE}"',
    f"{DEFLATE}; foo*0*=utf-8''%ff; {{",
    f"{DEFLATE}, \xe9",
    f"{DEFLATE}" + " " * 10_000 + "!;" * 2_000 + "@",
]


@pytest.mark.parametrize("offer", ACCEPTED)
async def test_an_offer_is_accepted_as_it_was_made(offer, packing):
    """The first offer that the lab can do is accepted, with all its parameters and no other."""
    assert await answer(packing, offer) == (101, ACCEPTED[offer])


@pytest.mark.parametrize("offer", DECLINED)
async def test_any_other_offer_is_declined(offer, packing):
    """What the lab does not know or cannot do is declined, and the next offer is taken."""
    assert await answer(packing, offer) == (101, None)
    assert await answer(packing, f"{offer}, {DEFLATE}; server_max_window_bits=11") == (
        101,
        f"{DEFLATE}; server_max_window_bits=11",
    )


async def test_offers_may_stand_in_several_lines(packing):
    """Several lines of offers are one list."""
    assert await answer(
        packing, "x-other", f"{DEFLATE}; foo", f"{DEFLATE}; client_no_context_takeover", DEFLATE
    ) == (
        101,
        f"{DEFLATE}; client_no_context_takeover",
    )


@pytest.mark.parametrize("offer", [*ACCEPTED, *DECLINED])
async def test_without_compression_all_is_declined(offer, plain):
    """A lab that does not compress goes on without."""
    assert await answer(plain, offer) == (101, None)


@pytest.mark.parametrize("path", ["/live", "/live?light=1"])
async def test_the_pages_socket_compresses_nothing(path, packing):
    """`/live` declines every offer."""
    assert {await answer(packing, offer, path=path) for offer in [*ACCEPTED, *DECLINED]} == {(101, None)}


@pytest.mark.parametrize("path", ["/websocket?after=latest", "/websocket?receive=0", "/live"])
@pytest.mark.parametrize("offer", MALFORMED, ids=lambda offer: ascii(offer[:60]))
async def test_a_list_that_cannot_be_read_is_400(path, offer, packing, plain):
    """A list that does not follow its grammar fails the handshake (RFC 6455 section 9.1)."""
    assert await answer(packing, offer, path=path) == (400, None)
    assert await answer(plain, offer, path=path) == (400, None)


async def test_a_refused_handshake_agrees_on_nothing(packing):
    """Only a handshake that succeeds names an extension."""
    wire = await Wire.open(packing)
    headers = handshake() | {"Sec-WebSocket-Extensions": DEFLATE, "Connection": "keep-alive"}
    refused = await wire.ask("GET", "/websocket?after=latest", headers)
    assert refused.status == 400
    assert "sec-websocket-extensions" not in refused.headers


# What is sent -------------------------------------------------------------------------------------


def unpacked(payload, bits):
    """The message, by a receiver that keeps no more than the window that was agreed."""
    inflate, text, data = zlib.decompressobj(-bits), b"", payload + TAIL
    while data:
        text += inflate.decompress(data, 16)
        data = inflate.unconsumed_tail
    return text


@pytest.mark.parametrize("bits", range(9, 16))
async def test_the_servers_window_is_the_one_that_was_agreed(bits, packing):
    """A client that keeps only the agreed window, and nothing from message to message, reads everything."""
    headers = {"Sec-WebSocket-Extensions": f"{DEFLATE}; server_max_window_bits={bits}; {NO_TAKEOVER[0]}"}
    listener = await client("websocket", packing, headers=headers).connect("latest")
    half = os.urandom(2 ** min(bits - 1, 13)).hex() + "a little more than the window"
    ids = await publish(packing, 2, half * 2)
    frames = [await read_frame(listener.wire) for _ in ids]
    assert all(frame.deflated for frame in frames)
    assert [json.loads(unpacked(frame.payload, bits))["id"] for frame in frames] == ids


async def test_every_listener_has_the_compression_that_it_agreed(packing):
    """Listeners with different windows, and with none, receive the same messages at the same time."""
    offers = ["", DEFLATE, *(f"{DEFLATE}; server_max_window_bits={bits}" for bits in (9, 12))]
    listeners = [
        await client("websocket", packing, headers={"Sec-WebSocket-Extensions": offer}).connect("latest")
        for offer in offers
    ]
    ids = await publish(packing, 5, "all of you " * 20)
    for listener in listeners:
        await listener.receive_until(ids[-1])
    assert [listener.ids for listener in listeners] == [ids] * len(listeners)
    assert [{frame.deflated for frame in listener.frames} for listener in listeners] == [
        {False},
        {True},
        {True},
        {True},
    ]


# Witnesses ----------------------------------------------------------------------------------------

SETTINGS = [
    {},
    *({f"{side}_no_context_takeover": True} for side in ("server", "client")),
    *({"server_max_window_bits": bits} for bits in range(8, 16)),
    *({"client_max_window_bits": bits} for bits in (9, 12, 15)),
    {"client_max_window_bits": None},
    {
        "server_no_context_takeover": True,
        "client_no_context_takeover": True,
        "server_max_window_bits": 9,
        "client_max_window_bits": 9,
    },
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
async def test_another_library_agrees_with_the_lab(settings, packing):
    """The `websockets` client, however it is set, receives every message, and its sends are accepted."""
    extension = ClientPerMessageDeflateFactory(**settings)
    url = f"ws://{HOST}:{packing}/websocket?after=latest"
    async with websockets.connect(url, compression=None, extensions=[extension]) as socket:
        for text in ("again and " * 40, "again " * 40):
            await socket.send(json.dumps(draft(text)))
            events = [json.loads(await socket.recv()) for _ in range(2)]
            assert {event["type"] for event in events} == {"ack", "message"}


@pytest.mark.parametrize("window", [9, 12, 15])
async def test_aiohttp_agrees_with_the_lab(window, packing):
    """The client of the measurements, with every window that it can offer."""
    url = f"http://{HOST}:{packing}/websocket?after=latest"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, compress=window) as socket:
        assert socket.compress
        await socket.send_str(json.dumps(draft("again " * 40)))
        assert {(await socket.receive_json())["type"] for _ in range(2)} == {"ack", "message"}
