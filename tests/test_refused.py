"""What is refused before any handler sees it: in the one shape of every error, with the right status."""

import asyncio
from email.utils import parsedate_to_datetime

import pytest

from lab.server.connections.heads import diagnosed, settled
from tests.support.lab_here import LabHere
from tests.support.lab_state import history, is_conserved
from tests.support.raw import OWN, answers, chunked, message, raw
from tests.support.wire import Wire

GET, POST = "GET /shortpoll HTTP/1.1", "POST /sse HTTP/1.1"
LENGTH = "Content-Length: {}"
HEADS = {
    "no host": (400, [GET]),
    "two hosts": (400, [GET, OWN, OWN]),
    "no host for a whole address": (400, ["GET http://localhost/ HTTP/1.1"]),
    "two hosts for a whole address": (400, ["GET http://localhost/ HTTP/1.1", OWN, OWN]),
    "a user in the host": (400, [GET, "Host: user@localhost"]),
    "no version": (400, ["GET /shortpoll"]),
    "no target": (400, ["GET HTTP/1.1"]),
    "no method": (400, ["/shortpoll HTTP/1.1"]),
    "two spaces": (400, ["GET  /shortpoll HTTP/1.1", OWN]),
    "a space in the target": (400, ["GET /short poll HTTP/1.1", OWN]),
    "a tab": (400, ["GET\t/shortpoll\tHTTP/1.1", OWN]),
    "no token": (400, ["G@T /shortpoll HTTP/1.1", OWN]),
    "a small version": (400, ["GET /shortpoll http/1.1", OWN]),
    "a long version": (400, ["GET /shortpoll HTTP/1.10", OWN]),
    "HTTP/2": (505, ["PRI * HTTP/2.0"]),
    "HTTP/3": (505, ["GET /shortpoll HTTP/3.0", OWN]),
    "HTTP/0.9": (505, ["GET /shortpoll HTTP/0.9", OWN]),
    "three empty lines": (400, ["", "", "", GET, OWN]),
    "a folded line": (400, [GET, OWN, "X: a", " b"]),
    "a folded first line": (400, [GET, " X: a", OWN]),
    "a space in a name": (400, [GET, OWN, "X y: a"]),
    "a space before the colon": (400, [GET, OWN, "X : a"]),
    "no name": (400, [GET, OWN, ": a"]),
    "no colon": (400, [GET, OWN, "X"]),
    "a bare return": (400, [GET, OWN, "X: a\rb"]),
    "a nul": (400, [GET, OWN, "X: a\0b"]),
    "an escape": (400, [GET, OWN, "X: \x1b[31m"]),
    "a length and chunks": (400, [POST, OWN, LENGTH.format(5), "Transfer-Encoding: chunked"]),
    "an unknown coding": (501, [POST, OWN, "Transfer-Encoding: xchunked"]),
    "gzip and chunks": (501, [POST, OWN, "Transfer-Encoding: gzip, chunked"]),
    "chunked twice": (400, [POST, OWN, "Transfer-Encoding: chunked, chunked"]),
    "chunked in two lines": (400, [POST, OWN, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
    "no number": (400, [POST, OWN, LENGTH.format("five")]),
    "a negative length": (400, [POST, OWN, LENGTH.format("-5")]),
    "a signed length": (400, [POST, OWN, LENGTH.format("+5")]),
    "a hexadecimal length": (400, [POST, OWN, LENGTH.format("0x5")]),
    "a broken length": (400, [POST, OWN, LENGTH.format("5.0")]),
    "two lengths": (400, [POST, OWN, LENGTH.format(5), LENGTH.format(6)]),
    "a list of lengths": (400, [POST, OWN, LENGTH.format("5, 6")]),
    "an immense length": (413, [POST, OWN, LENGTH.format("9" * 30)]),
    "a length of 5,000 digits": (413, [POST, OWN, LENGTH.format("9" * 5000)]),
    "a long target": (414, [f"GET /{'x' * 17_000} HTTP/1.1", OWN]),
    "a very long target": (414, [f"GET /{'x' * 200_000} HTTP/1.1", OWN]),
    "a long first line without end": (414, ["x" * 40_000]),
    "a long cookie": (431, [GET, OWN, f"Cookie: {'x' * 17_000}"]),
    "a very long cookie": (431, [GET, OWN, f"Cookie: {'x' * 200_000}"]),
    "many lines": (431, [GET, OWN, *["X: y"] * 5000]),
}
BODIES = {
    "no size": (400, b"zz\r\n"),
    "no size at all": (400, b"\r\n"),
    "0x5": (400, b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a negative size": (400, b"-1\r\n"),
    "a signed size": (400, b"+5\r\nhello\r\n0\r\n\r\n"),
    "a size of a hundred digits": (400, b"f" * 100 + b"\r\n"),
    "a size that ends bare": (400, b"5\nhello\n0\n\n" + b"x" * 2000),
    "a chunk that is longer": (400, b"5\r\nhello!\r\n0\r\n\r\n"),
    "an immense chunk": (400, b"ffffffffffffffff\r\nhello"),
}
REFUSED = {name: (status, raw(*lines)) for name, (status, lines) in HEADS.items()}
REFUSED |= {
    name: (status, raw(POST, OWN, "Content-Type: application/json", "Transfer-Encoding: chunked") + body)
    for name, (status, body) in BODIES.items()
}
CODES = {400: "bad_request", 413: "body_too_large", 414: "uri_too_long", 431: "headers_too_large"}
CODES |= {408: "request_timeout", 501: "not_implemented", 505: "version_not_supported"}


@pytest.fixture(scope="module")
def port():
    """A lab of this file's own, which does not wait long."""
    with LabHere(patience=1.0) as here:
        yield here.lab.port


def assert_refused(answer, status, data):
    """The answer is whole: status, shape, headers, and what became of a message."""
    assert answer.status == status, answer
    error = answer.json["error"]
    assert (error["code"], error["message"][-1]) == (CODES[status], ".")
    assert answer.json.get("stored") is (False if data.lstrip().startswith(b"POST") else None)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["connection"] == "close"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert parsedate_to_datetime(answer.headers["date"])


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_read_is_refused_in_the_shape_of_every_error(name, port):
    """Once, with the right status, as JSON; nothing behind it is read, and the connection ends."""
    status, data = REFUSED[name]
    behind = b"" if status in (414, 431) else message("smuggled")
    (answer,) = await answers(port, data + behind)
    assert_refused(answer, status, data)
    assert all(kept["body"] != "smuggled" for kept in (await history(port))["messages"])


@pytest.mark.parametrize("name", ["no host", "a folded line", "a long cookie", "HTTP/3"])
async def test_a_head_that_is_refused_gets_no_body(name, port):
    """An answer to HEAD has none, whatever went wrong (RFC 9110 9.3.2)."""
    status, data = REFUSED[name]
    wire = await Wire.open(port)
    await wire.send(data.replace(b"GET", b"HEAD", 1))
    head = await wire.read_head()
    assert (head.status, await wire.take_rest()) == (status, b"")
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize("size", [70_000, 1_000_000])
async def test_a_body_above_the_limit_is_413_when_it_has_come(size, port):
    """A sender that does not ask lives to read the answer."""
    head = raw(POST, OWN, "Content-Type: application/json", f"Content-Length: {size}", "Connection: close")
    (answer,) = await answers(port, head + b"x" * size)
    assert (answer.status, answer.json["stored"]) == (413, False)


async def test_an_unknown_method_is_405_and_lists_the_known_ones(port):
    """The path exists, so the answer names its methods."""
    for method in ("BREW", "TRACE", "get", "PROPFIND"):
        (answer,) = await answers(port, raw(f"{method} /shortpoll HTTP/1.1", OWN, "Connection: close"))
        assert (answer.status, answer.json["error"]["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


CUT = {
    "in the request line": raw(GET, OWN)[:9],
    "in a header line": raw(GET, OWN)[:-6],
    "before the empty line": raw(GET, OWN)[:-2],
    "in a body": message("cut")[:-5],
    "before a body": raw(POST, OWN, "Content-Length: 5"),
    "in a chunk": chunked('{"mid":"xxxxxxxxxxxxx"}')[:-16],
    "in a trailer": chunked('{"mid":"x"}', trailers=["X: y"])[:-5],
}


@pytest.mark.parametrize("where", CUT)
async def test_a_request_that_ends_too_early_is_400(where, port):
    """A client that sends no more, and still reads, gets the answer that its request was not whole."""
    (answer,) = await answers(port, CUT[where], ends=True)
    assert_refused(answer, 400, CUT[where])


async def test_a_request_that_does_not_go_on_is_408(port):
    """A head or a body that does not come in time is answered (RFC 9110 15.5.9), and the connection ends."""
    found = await asyncio.gather(*(answers(port, data) for data in CUT.values()))
    for (answer,), data in zip(found, CUT.values(), strict=True):
        assert_refused(answer, 408, data)


async def test_a_connection_on_which_nothing_began_is_closed_without_a_word(port):
    """There is nothing to answer, also behind an answer and an empty line."""
    silent, answered = await Wire.open(port), await Wire.open(port)
    await answered.send(raw(GET, OWN) + b"\r\n")
    assert (await answered.read_answer()).status == 200
    assert [await wire.take_rest() for wire in (silent, answered)] == [b"", b""]


async def test_a_send_and_an_empty_line_and_a_request_are_two_requests(port):
    """One empty line too many belongs to no request (RFC 9112 2.2)."""
    data = message("one") + b"\r\n" + raw(GET, OWN) + b"\r\n"
    assert [answer.status for answer in await answers(port, data, ends=True)] == [201, 200]


async def test_refused_requests_are_conserved(port):
    """What was refused before any handler is counted, once."""
    await asyncio.gather(*(answers(port, data) for _, data in REFUSED.values()))
    await is_conserved(port)


@pytest.mark.parametrize("name", HEADS)
def test_the_reason_is_found_in_the_head(name):
    """The status follows from the head alone, without a connection, where Tornado refuses."""
    status, lines = HEADS[name]
    if status not in (414, 431):
        assert diagnosed(raw(*lines)).status == status


def test_a_head_without_options_is_given_on_as_it_is():
    """Most heads are not touched."""
    for head in (raw(GET, OWN), raw(GET, OWN, "Connection: keep-alive"), raw("GET /close HTTP/1.1", OWN)):
        assert settled(head) is head
