"""What a page of another site may not do."""

import pytest

from tests.support.lab_state import is_in_room
from tests.support.listeners import client, each_technique, handshake
from tests.support.refusals import POSTING, assert_not_stored, assert_refused, receive_headers, receive_path
from tests.support.wire import HOST, Wire, eventually, fetch

FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
]
each_foreigner = pytest.mark.parametrize("headers", FOREIGN, ids=str)
each_origin = pytest.mark.parametrize("headers", [one for one in FOREIGN if "Origin" in one], ids=str)
"""A browser's handshake always names its page (RFC 6455 section 10.2); without one it is a program's."""


@pytest.mark.parametrize("mode", POSTING)
@each_foreigner
async def test_a_foreign_page_cannot_post(mode, headers, refusing):
    """A message that another site's page sends is refused, and not stored."""
    receipt = await client(mode, refusing.port, headers=headers).send()
    assert_not_stored(receipt, mode, 403, "forbidden")


@each_origin
@pytest.mark.parametrize("path", ["/websocket?after=latest", "/live"])
async def test_a_foreign_page_cannot_open_a_socket(path, headers, refusing):
    """A WebSocket that another site's page opens is refused in the handshake."""
    assert_refused(await fetch(refusing.port, "GET", path, handshake() | headers), 403, "forbidden")


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
FOREIGN_SCRIPTS = [
    BROWSER | {"Sec-Fetch-Site": "cross-site"},
    BROWSER | {"Sec-Fetch-Site": "same-site"},
    BROWSER | {"Referer": "http://evil.example/page"},
    BROWSER | {"Referer": "http://127.0.0.1.evil.example/"},
    BROWSER,
]


@pytest.mark.parametrize("headers", FOREIGN_SCRIPTS, ids=str)
async def test_a_foreign_page_cannot_send_by_a_script(headers, refusing):
    """A script element of another site's page, or of one that hides where it is from, stores nothing."""
    receipt = await client("jsonp", refusing.port, headers=headers).send()
    assert_not_stored(receipt, "jsonp", 403, "forbidden")


@each_technique
async def test_the_labs_own_page_may_send(mode, lab):
    """A page of the lab itself is accepted, with all headers that a browser sends."""
    own = f"{HOST}:{lab.port}"
    headers = {"Host": own, "Origin": f"http://{own}", "Referer": f"http://{own}/room", **BROWSER}
    receipt = await client(mode, lab.port, headers=headers | {"Sec-Fetch-Site": "same-origin"}).send()
    assert receipt.answer["duplicate"] is False
    await eventually(lambda: is_in_room(lab.port, receipt.id), "the room has the message")


@each_technique
async def test_no_foreign_page_may_read_with_its_own_code(mode, refusing):
    """No answer carries a permission for other origins."""
    wire, path = await Wire.open(refusing.port), receive_path(mode, "after=latest&hold=0")
    await wire.request("GET", path, receive_headers(mode) | {"Origin": "http://evil.example"})
    head = await wire.read_head()
    assert head.status == (403 if mode == "websocket" else 200)
    assert not [name for name in head.headers if name.startswith("access-control")]


@each_technique
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil"]
)
async def test_a_foreign_host_name_is_refused(mode, host, refusing):
    """A foreign host name that resolves to the lab is refused: nothing is sent or received under it."""
    headers = {"Host": host}
    path = receive_path(mode, "after=latest")
    assert_refused(
        await fetch(refusing.port, "GET", path, receive_headers(mode) | headers), 421, "unknown_host"
    )
    if mode != "websocket":
        assert_not_stored(
            await client(mode, refusing.port, headers=headers).send(), mode, 421, "unknown_host"
        )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8000", "[::1]", "192.168.1.23:8000"])
async def test_an_address_and_localhost_are_names_of_the_lab(host, refusing):
    """Under its address and as localhost the lab answers every request."""
    assert (await fetch(refusing.port, "GET", "/shortpoll?after=latest", {"Host": host})).status == 200
