"""The first bytes of each stream: enough for every browser to begin, in both versions of HTTP."""

import asyncio
import json
from contextlib import closing

import pytest

from lab.catalogue import MODES, TECHNIQUES
from lab.techniques.iframe import PREAMBLE
from tests.support.drafts import draft
from tests.support.nginx import Nginx
from tests.support.wire import HOST, Body, Wire, eventually, fetch

HELD_BACK = 512
"""Bytes of a page that WebKit collects before it reads any of them."""
STREAMS = [mode for mode in MODES if TECHNIQUES[mode].verb == "stream" and mode != "websocket"]
"""The techniques whose stream is the body of an HTTP answer."""


@pytest.fixture(scope="module")
def nginx(lab):
    """The port of a proxy before the shared lab."""
    with closing(Nginx([lab.port])) as proxy:
        asyncio.run(eventually(proxy.listens, "nginx listens"))
        yield proxy.port


@pytest.fixture(params=["direct", pytest.param("nginx", marks=pytest.mark.needs("nginx"))])
def port(request, lab):
    """The lab's own port, and a proxy's."""
    return lab.port if request.param == "direct" else request.getfixturevalue("nginx")


async def beginning(port, mode, version, size):
    """Open a stream behind the newest message; returns its connection and the first bytes of its body."""
    wire = await Wire.open(port)
    await wire.send(f"GET /{mode}?after=latest HTTP/{version}\r\nHost: {HOST}\r\n\r\n".encode())
    head, body = await wire.read_head(), b""
    is_page = head.headers["content-type"].startswith("text/html")
    size = size if is_page else 1
    pieces = Body(wire, head)
    while len(body) < size:
        body += await pieces.piece() if pieces.chunked else await wire.take(size)
    return wire, body


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("mode", STREAMS)
async def test_a_stream_begins_before_its_first_event(port, mode, version):
    """In an answer without events a page already holds the 512 bytes for which WebKit waits, others some."""
    wire, _ = await beginning(port, mode, version, HELD_BACK)
    wire.abort()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_page_is_filled_up_once(lab, version):
    """The filling is at the beginning of a page; a message behind it is a script element and no more."""
    wire, body = await beginning(lab.port, "iframe", version, len(PREAMBLE))
    assert body == PREAMBLE
    message = json.dumps(draft("short")).encode()
    await fetch(lab.port, "POST", "/iframe", {"Content-Type": "application/json"}, message)
    script = await wire.take_through(b"</script>\n")
    assert len(script) < HELD_BACK
    wire.abort()
