"""Requests whose end could be read in two places: none carries a second request past a proxy."""

import asyncio
import json
import re
from contextlib import suppress

import pytest

from tests.support.drafts import draft
from tests.support.lab_state import history
from tests.support.nginx import Nginx
from tests.support.wire import HOST, Wire, eventually

NAMED = f"Host: {HOST}"
CHUNKED = "Transfer-Encoding: chunked"
REFUSED = {
    "two lengths": (NAMED, "Content-Length: 5", "Content-Length: 6"),
    "a length and chunks": (NAMED, "Content-Length: 5", CHUNKED),
    "odd chunks": (NAMED, "Transfer-Encoding: xchunked"),
    "chunked twice over": (NAMED, CHUNKED, "Transfer-Encoding: identity"),
    "a signed length": (NAMED, "Content-Length: +5"),
    "a list of lengths": (NAMED, "Content-Length: 5, 6"),
    "two hosts": (NAMED, NAMED, "Content-Length: 5"),
    "no host": ("Content-Length: 5",),
    "a space before the colon": (NAMED, "Content-Length : 5"),
    "a nul": (NAMED, "X: a\0b", "Content-Length: 5"),
    "a folded line": (NAMED, "X: a", " Content-Length: 5"),
    "a folded value": (NAMED, "Content-Length:", " 5"),
    "a lone return": (NAMED, "X: a\rContent-Length: 5"),
}
BODIES = dict.fromkeys(REFUSED, b"0\r\n\r\n") | {
    "a chunk of 0x5": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk of less than nothing": b"-1\r\nhello\r\n0\r\n\r\n",
    "a chunk of +5": b"+5\r\nhello\r\n0\r\n\r\n",
}


@pytest.fixture(scope="module")
def proxied(lab):
    """The port of an nginx that stands before the shared lab."""
    nginx = Nginx([lab.port])
    asyncio.run(eventually(nginx.listens, "nginx listens"))
    yield nginx.port
    nginx.close()


@pytest.fixture(params=["direct", pytest.param("behind nginx", marks=pytest.mark.needs("nginx"))])
def entry(request, lab):
    """The port that clients connect to: the lab's or the proxy's."""
    return lab.port if request.param == "direct" else request.getfixturevalue("proxied")


def a_send():
    """A whole, good request that stores a message and ends its connection; and that message's mid."""
    fields = draft("smuggled")
    body = json.dumps(fields).encode()
    head = f"POST /shortpoll HTTP/1.1\r\n{NAMED}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, fields["mid"]


async def statuses(port, data):
    """The status of every answer that comes to these bytes."""
    wire = await Wire.open(port)
    with suppress(ConnectionError):
        await wire.send(data)
        await wire.take_rest()
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", wire.received)]


async def is_stored(port, mid):
    """Whether this message is in the history."""
    return mid in [message["mid"] for message in (await history(port))["messages"]]


@pytest.mark.parametrize("name", BODIES)
async def test_no_second_request_is_smuggled_in(name, entry, lab):
    """What can be read in two ways is refused, once, by the lab or before it; nothing behind it is read."""
    send, mid = a_send()
    head = "\r\n".join(("POST /sse HTTP/1.1", *REFUSED.get(name, (NAMED, CHUNKED)), "", ""))
    assert await statuses(entry, head.encode() + BODIES[name] + send) in ([400], [501])
    assert not await is_stored(lab.port, mid)


async def test_lines_that_end_without_a_return_are_read_alike(entry, lab):
    """A bare line feed ends a line for proxy and lab alike: two requests are two, with an answer each."""
    send, mid = a_send()
    head = f"POST /sse HTTP/1.1\n{NAMED}\nX: a\nContent-Length: 5\n\n"
    assert await statuses(entry, head.encode() + b"0\r\n\r\n" + send) == [415, 201]
    assert await is_stored(lab.port, mid)
