"""HEAD wherever GET is: the same head, no body, and nothing that a look alone may change (RFC 9110 9.3.2)."""

import pytest

from lab.catalogue import MODES, server_side
from lab.server.lesson.assignment import ROTATION
from tests.support.lab_here import LabHere
from tests.support.lab_state import meters
from tests.support.listeners import STREAMING, WAITING
from tests.support.raw import raw
from tests.support.wire import Wire, eventually, fetch

CALLBACK = "callback=f&"
SAME = [
    "/", "/room", "/room?mode=sse", "/room?mode=x", "/compare", "/technique/sse", "/technique/x", "/teacher",
    "/exercises", "/doctor", "/connections", "/doctor/stream?as=x", "/teacher/exercises.csv",
    "/history", "/meters", "/metrics", "/readyz", "/openapi.json", "/palette.css", "/wire", "/qr.svg",
    "/static/room.js", "/static/none.js", "/nowhere", "/shortpoll?after=latest", "/shortpoll?after=x",
    "/longpoll?after=x", "/longpoll?hold=x", "/jsonp", "/jsonp?callback=f&hold=-1", "/sse?after=x",
    "/iframe?after=x", "/teacher/meters.json", "/teacher/meters.csv",
]  # fmt: skip
CHANGING = {"date", "content-length", "etag"}
"""What differs between two answers to GET as well, where the answer contains meters."""


@pytest.fixture(scope="module")
def here():
    """A lab of this file's own."""
    with LabHere() as here:
        yield here


async def both(here, path, **headers):
    """The answers to GET and to HEAD; behind the second the connection is in order."""
    wanted = await fetch(here.lab.port, "GET", path, headers)
    wire = await Wire.open(here.lab.port)
    answer = await wire.ask("HEAD", path, headers)
    assert (await wire.ask("GET", "/readyz")).status == 200
    return wanted, answer


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize("path", SAME)
async def test_head_answers_as_get_without_a_body(path, accept, here):
    """Status and header lines are those of GET, refusals too, and the length is given where GET gives it."""
    wanted, answer = await both(here, path, Accept=accept)
    assert (answer.status, answer.headers.keys()) == (wanted.status, wanted.headers.keys())
    same = wanted.headers.keys() - CHANGING
    assert {name: answer.headers[name] for name in same} == {name: wanted.headers[name] for name in same}
    if path not in ("/meters", "/metrics", "/teacher/meters.json", "/teacher/meters.csv", "/room"):
        assert answer.headers["content-length"] == wanted.headers["content-length"]


@pytest.mark.parametrize("packed", ["gzip", "identity"])
@pytest.mark.parametrize("path", ["/", "/static/room.js"])
async def test_head_names_the_form_in_which_get_would_send(path, packed, here):
    """Packed or not, the length is that of what GET would send."""
    wanted, answer = await both(here, path, **{"Accept-Encoding": packed})
    assert answer.headers["content-length"] == wanted.headers["content-length"]
    assert answer.headers.get("content-encoding") == wanted.headers.get("content-encoding")


@pytest.mark.parametrize("path", ["/shortpoll?after=latest", "/static/room.js"])
async def test_head_knows_what_the_client_has(path, here):
    """With its tag the answer is 304, as to GET."""
    tag = (await fetch(here.lab.port, "HEAD", path)).headers["etag"]
    wanted, answer = await both(here, path, **{"If-None-Match": tag})
    assert (wanted.status, answer.status) == (304, 304)


@pytest.mark.parametrize("mode", [*WAITING, *STREAMING])
async def test_what_waits_or_streams_answers_head_at_once(mode, here):
    """The head comes and that is all: no body, no length, and the connection serves the next request."""
    if mode == "websocket":
        return
    wire = await Wire.open(here.lab.port)
    answer = await wire.ask("HEAD", f"/{mode}?{CALLBACK}after=latest&hold=20")
    assert answer.status == 200
    assert not answer.headers.keys() & {"content-length", "transfer-encoding"}
    _, handler = server_side(mode).ROUTES[0]
    assert answer.headers["content-type"] == handler.content_type
    assert (await wire.ask("GET", "/readyz")).status == 200


async def test_head_is_no_listener(here):
    """It waits for nothing, is on no list of users, and no technique counts it; its bytes are the rest's."""
    before = await meters(here.lab.port)
    client = "client=0b0e1c7e-7d43-4c1c-9d3b-0d3f9e5f7a10&username=ann"
    for mode in MODES:
        await fetch(here.lab.port, "HEAD", f"/{mode}?{CALLBACK}after=latest&{client}")
    after = await meters(here.lab.port)
    assert after["techniques"] == before["techniques"]
    assert after["other"]["bytes_in"] > before["other"]["bytes_in"]
    assert not here.lab.context.presence.here(0)
    assert here.lab.context.room.readers == 0


@pytest.mark.parametrize("path", ["/jsonp/send?callback=f&mid=x", "/websocket", "/live", "/teacher/reset"])
async def test_head_is_refused_where_get_would_change_something_or_is_not(path, here):
    """HEAD stores nothing and opens nothing, and `Allow` names the path's methods."""
    answer = await fetch(here.lab.port, "HEAD", path)
    assert answer.status in (405, 403)
    assert "HEAD" not in answer.headers.get("allow", "")


async def test_a_wrong_method_gets_head_in_allow(here):
    """`Allow` lists HEAD wherever GET stands in it."""
    for path in ("/", "/history", "/shortpoll", "/jsonp", "/static/room.js"):
        answer = await fetch(here.lab.port, "DELETE", path)
        assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))


async def test_head_uses_nothing_up(here):
    """Neither the teacher's link, nor a listener's number, nor a turn in the rotation, nor a phone."""
    lesson, ticket = here.lab.lesson, here.lab.key.ticket()
    lesson.assignment.way = ROTATION
    for path in (f"/teacher?token={ticket}", "/room", "/room"):
        await fetch(here.lab.port, "HEAD", path)
    first = await fetch(here.lab.port, "GET", f"/teacher?token={ticket}")
    assert (first.status, "set-cookie" in first.headers) == (302, True)
    turn, number = lesson.assignment.next(), next(lesson.arrivals)
    await fetch(here.lab.port, "HEAD", "/room")
    assert next(lesson.arrivals) == number + 1
    assert MODES.index(lesson.assignment.next()) == (MODES.index(turn) + 1) % len(MODES)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_head_of_another_host_or_on_an_old_connection(version, here):
    """HTTP/1.0 and foreign names are answered as to GET, without a body."""
    for host, status in (("localhost", 200), ("evil.example", 421)):
        wire = await Wire.open(here.lab.port)
        await wire.send(raw(f"HEAD /sse?after=latest HTTP/{version}", f"Host: {host}", "Connection: close"))
        head = await wire.read_head()
        assert (head.status, await wire.take_rest()) == (status, b"")


async def test_the_description_has_head_wherever_it_has_get(here):
    """Once, for all paths."""
    assert "HEAD" in (await fetch(here.lab.port, "GET", "/openapi.json")).json["info"]["description"]


async def test_nothing_is_open_behind_it(here):
    """After all this no client listens."""

    async def probe():
        return all(both["open"] == 0 for both in (await meters(here.lab.port))["techniques"].values())

    await eventually(probe, "nothing is open")
