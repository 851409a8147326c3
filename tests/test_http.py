"""HTTP as RFC 9110 and RFC 9112 have it, where clients do what is seldom done: targets, chunks, options."""

import asyncio
import json

import pytest

from tests.support.drafts import draft
from tests.support.framings import TEXT, client_frame, read_frame
from tests.support.lab_here import LabHere
from tests.support.lab_state import history, is_conserved
from tests.support.listeners import client, handshake
from tests.support.raw import OWN, answers, chunked, message, raw
from tests.support.wire import Wire, fetch

HEALTH = raw("GET /healthz HTTP/1.1", OWN)


@pytest.fixture(scope="module")
def port():
    """A lab of this file's own."""
    with LabHere(limits={"rate": 0, "per_address": 0}) as here:
        yield here.lab.port


# Targets ------------------------------------------------------------------------------------------

TARGETS = {
    "http://{}/shortpoll": 200,
    "HTTP://{}/shortpoll": 200,
    "https://{}/shortpoll": 200,
    "http://LOCALHOST/shortpoll?after=latest": 200,
    "http://[::1]:8000/shortpoll": 200,
    "http://{}": 200,
    "http://{}?lang=zh": 200,
    "http://{}/nowhere": 404,
    "http://evil.example/shortpoll": 421,
    "http://user@{}/shortpoll": 400,
    "http://user:secret@{}/shortpoll": 400,
    "http:///shortpoll": 400,
    "http://{}:99999/shortpoll": 400,
    "ftp://{}/shortpoll": 400,
    "shortpoll": 400,
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
async def test_a_target_in_absolute_form_is_served(target, host, port):
    """A request line as proxies get it is understood, and its authority counts, not Host (RFC 9112 3.2.2)."""
    line = f"GET {target.format(f'127.0.0.1:{port}')} HTTP/1.1"
    (answer,) = await answers(port, raw(line, f"Host: {host}", "Connection: close"))
    assert answer.status == TARGETS[target]
    assert answer.status == 200 or answer.json["error"]["code"]


async def test_a_send_and_a_handshake_in_absolute_form_are_accepted(port):
    """Not only what is read may be asked for by its whole address."""
    send = message("whole address").replace(b"POST /sse", f"POST http://127.0.0.1:{port}/sse".encode())
    assert [answer.status for answer in await answers(port, send, count=1)] == [201]
    wire = await Wire.open(port)
    lines = [f"{name}: {value}" for name, value in handshake().items()]
    await wire.send(raw(f"GET http://127.0.0.1:{port}/websocket HTTP/1.1", "Host: other.example", *lines))
    assert (await wire.read_head()).status == 101


NO_PATHS = ("OPTIONS * HTTP/1.1", "GET * HTTP/1.1", "CONNECT localhost:443 HTTP/1.1")


@pytest.mark.parametrize("line", NO_PATHS)
async def test_other_forms_of_a_target_get_an_error(line, port):
    """The lab is no proxy, and has nothing to say of itself as a whole."""
    (answer,) = await answers(port, raw(line, OWN, "Connection: close"))
    assert answer.status in (400, 404, 405)
    assert answer.json["error"].keys() == {"code", "message"}


HOSTS = {
    "localhost.": 200,
    "LocalHost:": 200,
    "localhost.:8000": 200,
    "anything.localhost": 200,
    "a.b.localhost.:80": 200,
    "127.0.0.1:": 200,
    "[::1]:": 200,
    "localhost.example": 421,
    "notlocalhost": 421,
    ".localhost.example.": 421,
    "": 421,
    "localhost:x": 400,
    "localhost:-1": 400,
    "localhost:65536": 400,
    "localhost:80:80": 400,
    "user@localhost": 400,
    "localhost, localhost": 400,
    "local host": 400,
    "localhost/": 400,
}


@pytest.mark.parametrize("host", HOSTS)
async def test_the_labs_own_names_have_many_forms(host, port):
    """What ends in .localhost, a last dot, an empty port: own names (RFC 6761 6.3); a bad host is 400."""
    (answer,) = await answers(port, raw("GET /healthz HTTP/1.1", f"Host: {host}", "Connection: close"))
    assert answer.status == HOSTS[host], answer


async def test_the_machines_name_in_its_network_is_an_own_name(port, monkeypatch):
    """By `<name>.local` the neighbours find this machine (RFC 6762), whatever its name is in full."""
    monkeypatch.setattr("socket.gethostname", lambda: "Desk-7.school.example")
    with LabHere() as here:
        own = ("desk-7.local", "DESK-7.local.", "desk-7.school.example")
        assert all(here.lab.context.answers_to(name) for name in own)
        assert not here.lab.context.answers_to("desk-8.local")


# Chunks -------------------------------------------------------------------------------------------

EXTRAS = {
    "nothing": {},
    "an extension": {"extension": ";a=b"},
    "one without a value": {"extension": ";a"},
    "spaces around it": {"extension": " ; a = b"},
    "two, one quoted": {"extension": ';a="x;y\\"z";b=c'},
    "one at the last chunk": {"last": "0;x=y"},
    "many noughts": {"last": "0000"},
    "a trailer": {"trailers": ["X-Sum: 1"]},
    "several trailers": {"trailers": ["X-Sum: 1", "X-Sum: 2", "Expires: never", "Empty:"]},
    "trailers that would frame": {"trailers": ["Content-Length: 3", "Transfer-Encoding: gzip"]},
    "trailers that would route": {"trailers": ["Host: evil.example", "Origin: http://evil.example"]},
    "trailers that would close": {"trailers": ["Connection: close", "Content-Type: text/plain"]},
}


@pytest.mark.parametrize("extra", EXTRAS)
async def test_extensions_and_trailers_are_dropped(extra, port):
    """What is not known of them is ignored (RFC 9112 7.1.1, 7.1.2), and the next request is answered too."""
    answered = await answers(port, chunked(json.dumps(draft(extra)), **EXTRAS[extra]) + HEALTH, count=2)
    assert [answer.status for answer in answered] == [201, 200]
    assert (await history(port))["messages"][-1]["body"] == extra


@pytest.mark.parametrize("extra", EXTRAS)
async def test_extensions_and_trailers_are_read_in_any_pieces(extra, port):
    """However the bytes come in, the same request is read."""
    wire = await Wire.open(port)
    data = chunked(json.dumps(draft(extra)), **EXTRAS[extra])
    for at in range(0, len(data), 7):
        await wire.send(data[at : at + 7])
        await asyncio.sleep(0)
    assert (await wire.read_answer()).status == 201


BAD_EXTRAS = {
    "an extension without a name": ({"extension": ";=b"}, 400),
    "an open quote": ({"extension": ';a="b'}, 400),
    "a line feed in one": ({"extension": ";a\nb"}, 400),
    "an extension too long": ({"extension": f";a={'b' * 5000}"}, 400),
    "a space instead": ({"extension": " "}, 400),
    "a trailer without a colon": ({"trailers": ["X-Sum"]}, 400),
    "a trailer with a space": ({"trailers": ["X Sum: 1"]}, 400),
    "a folded trailer": ({"trailers": ["X: 1", " 2"]}, 400),
    "a trailer that ends bare": ({"trailers": ["X: 1\n"]}, 400),
    "a nul in a trailer": ({"trailers": ["X: \0"]}, 400),
    "a trailer too long": ({"trailers": [f"X: {'y' * 20_000}"]}, 431),
    "too many trailers": ({"trailers": ["X: y"] * 5000}, 431),
    "no number": ({"last": "x"}, 400),
    "a signed number": ({"last": "+0"}, 400),
}


@pytest.mark.parametrize("extra", BAD_EXTRAS)
async def test_bad_extensions_and_trailers_are_refused(extra, port):
    """What two readers could read in two ways is refused once, and nothing behind it is read."""
    changes, status = BAD_EXTRAS[extra]
    (answer,) = await answers(port, chunked(json.dumps(draft(extra)), **changes) + HEALTH)
    assert (answer.status, answer.json["stored"]) == (status, False)
    assert all(kept["body"] != extra for kept in (await history(port))["messages"])


# Options of the connection ------------------------------------------------------------------------

CLOSING = (
    ["Connection: close"],
    ["Connection: CLOSE"],
    ["Connection: TE, close"],
    ["Connection: close,TE"],
    ["Connection: keep-alive, close"],
    ["Connection: close, keep-alive"],
    ["connection:,, Close ,"],
    ["Connection: keep-alive", "X-Between: 1", "Connection: close"],
    ["Connection: TE", "connection: x,cLoSe"],
    ["Connection: Upgrade, close"],
)
STAYING = (
    [],
    ["Connection: keep-alive"],
    ["Connection: TE, Keep-Alive"],
    ["Connection: closed"],
    ["X-Connection: close"],
)
PATHS = {
    "/shortpoll?after=latest": 200,
    "/longpoll?after=latest&hold=0": 200,
    "/jsonp?callback=f&after=latest&hold=0": 200,
    "/healthz": 200,
    "/nowhere": 404,
    "/shortpoll?after=x": 400,
    "/static/room.css": 200,
    "/websocket": 426,
}


@pytest.mark.parametrize("lines", CLOSING, ids=str)
@pytest.mark.parametrize("path", PATHS)
async def test_close_closes_wherever_it_stands(path, lines, port):
    """`close` in any case, among others and in any line ends the connection (RFC 9112 9.6), and is echoed."""
    head = raw(f"GET {path} HTTP/1.1", OWN, *lines)
    (answer,) = await answers(port, head + HEALTH)
    assert answer.status == PATHS[path] or path.startswith("/static")
    assert "close" in answer.headers["connection"].lower()


@pytest.mark.parametrize("lines", STAYING, ids=str)
@pytest.mark.parametrize("path", PATHS)
async def test_nothing_else_closes(path, lines, port):
    """Without it the connection stays, and the next request is answered."""
    answered = await answers(port, raw(f"GET {path} HTTP/1.1", OWN, *lines) + HEALTH, count=2)
    assert [answer.status for answer in answered[1:]] == [200]
    assert "close" not in answered[0].headers.get("connection", "").lower()


async def test_a_send_is_answered_before_it_closes(port):
    """A POST that wants to close is stored, answered, and closed behind."""
    answered = await answers(port, message("and out", "Connection: TE, close") + HEALTH)
    assert [(answer.status, answer.headers["connection"]) for answer in answered] == [(201, "close")]


@pytest.mark.parametrize(
    "path", ["/shortpoll?after=latest", "/healthz", "/nowhere", "/longpoll?hold=0&after=latest"]
)
@pytest.mark.parametrize(
    ("option", "stays"),
    [
        ("keep-alive", True),
        ("TE, Keep-Alive", True),
        ("keep-alive, close", False),
        ("TE", False),
        ("", False),
    ],
)
async def test_http_1_0_stays_when_it_is_asked_to(path, option, stays, port):
    """A client of HTTP/1.0 says when it stays; what the answer says of that is true (RFC 9112 9.3)."""
    head = raw(f"GET {path} HTTP/1.0", OWN, *([f"Connection: {option}"] if option else []))
    answered = await answers(port, head + HEALTH, count=1 + stays)
    assert len(answered) == 1 + stays
    said = answered[0].headers.get("connection", "close").lower()
    assert said == ("keep-alive" if stays else "close")


@pytest.mark.parametrize("mode", ["sse", "iframe"])
async def test_a_stream_of_http_1_0_promises_no_second_answer(mode, port):
    """Its end is the connection's end, whatever the client hoped for."""
    wire = await Wire.open(port)
    await wire.send(raw(f"GET /{mode}?after=latest HTTP/1.0", OWN, "Connection: keep-alive"))
    assert (await wire.read_head()).headers["connection"] == "close"


@pytest.mark.parametrize("mode", ["sse", "iframe"])
async def test_a_stream_announces_that_it_closes(mode, port):
    """The head of a stream says too that no other answer follows."""
    wire = await Wire.open(port)
    await wire.send(raw(f"GET /{mode}?after=latest HTTP/1.1", OWN, "Connection: x, close"))
    assert (await wire.read_head()).headers["connection"] == "close"


# Expectations -------------------------------------------------------------------------------------

WAITS = "Expect: 100-continue"
UNWANTED = {
    "too long": (["Content-Length: 2000000"], "/sse", 413),
    "no path": (["Content-Length: 9"], "/nowhere", 404),
    "no method": (["Content-Length: 9"], "/history", 405),
    "another site": (["Content-Length: 9", "Origin: http://evil.example"], "/sse", 403),
    "the teacher's": (["Content-Length: 9"], "/teacher/reset", 403),
    "a WebSocket's": (["Content-Length: 9"], "/websocket", 405),
    "chunks to nowhere": (["Transfer-Encoding: chunked"], "/nowhere", 404),
}


def asking(path, *lines, expect=WAITS, kind="application/json", version="1.1", host="localhost"):
    """The head of a request whose body waits."""
    return raw(f"POST {path} HTTP/{version}", f"Host: {host}", f"Content-Type: {kind}", expect, *lines)


@pytest.mark.parametrize("case", UNWANTED)
async def test_a_body_that_will_be_refused_is_not_asked_for(case, port):
    """The final status comes at once, without 100 before it, and the connection ends (RFC 9110 10.1.1)."""
    lines, path, status = UNWANTED[case]
    (answer,) = await answers(port, asking(path, *lines))
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert answer.json.get("stored", False) is False


async def test_a_body_of_another_type_or_for_another_host_is_not_asked_for(port):
    """Nor is one of a type that is not taken, or one for a name that the lab does not have."""
    for head, status in (
        (asking("/sse", "Content-Length: 9", kind="text/plain"), 415),
        (asking("/sse", "Content-Length: 9", host="evil.example"), 421),
    ):
        assert [answer.status for answer in await answers(port, head)] == [status]


async def test_a_full_lab_asks_for_no_body():
    """One connection too many is refused before it sends."""
    with LabHere(limits={"connections": 1}) as here:
        taken = await Wire.open(here.lab.port)
        await taken.ask("GET", "/healthz")
        (answer,) = await answers(here.lab.port, asking("/sse", "Content-Length: 9"))
        assert answer.status == 503


async def test_a_body_that_comes_all_the_same_does_not_hide_the_answer(port):
    """A client that does not wait, and sends more than is taken, lives to read the answer."""
    (answer,) = await answers(port, asking("/sse", "Content-Length: 100000") + b"x" * 100_000)
    assert answer.status == 413


@pytest.mark.parametrize("expect", [WAITS, "expect: 100-Continue", "Expect: 100-continue, 100-continue"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_that_is_wanted_is_asked_for(expect, framing, port):
    """100 Continue, then the body, then the answer; the connection stays."""
    body = json.dumps(draft("wanted")).encode()
    lines = f"Content-Length: {len(body)}" if framing == "length" else "Transfer-Encoding: chunked"
    wire = await Wire.open(port)
    await wire.send(asking("/sse", lines, expect=expect))
    assert (await wire.read_head()).status == 100
    await wire.send(body if framing == "length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    answer = await wire.read_answer()
    assert (answer.status, answer.json["duplicate"]) == (201, False)
    assert (await wire.ask("GET", "/healthz")).status == 200


async def test_a_body_that_is_asked_for_and_bad_is_refused(port):
    """The body itself is judged when it is there, and chunks above the limit are."""
    for body, status in (
        (b"2\r\n{}\r\n0\r\n\r\n", 422),
        (b"11170\r\n%b\r\n0\r\n\r\n" % (b"x" * 70_000), 413),
    ):
        wire = await Wire.open(port)
        await wire.send(asking("/sse", "Transfer-Encoding: chunked"))
        assert (await wire.read_head()).status == 100
        await wire.send(body)
        answer = await wire.read_answer()
        assert (answer.status, answer.json["stored"]) == (status, False)


async def test_every_path_that_takes_a_body_asks_for_it():
    """A handler that takes a body waits for it, so that its client may wait too."""
    with LabHere() as here:
        paths = (await fetch(here.lab.port, "GET", "/openapi.json")).json["paths"]
        taking = [path for path, item in paths.items() if "requestBody" in item.get("post", {})]
        taking += ["/teacher/bet", "/teacher/crew"]
        for path in taking:
            wire = await Wire.open(here.lab.port)
            await wire.send(asking(path, "Content-Length: 2", f"Authorization: Bearer {here.lab.key.token}"))
            assert (await wire.read_head()).status == 100, path
            await wire.send(b"{]")
            assert (await wire.read_answer()).json["error"]["code"] == "bad_json", path
        assert len(taking) >= 6


async def test_an_expectation_that_is_not_known_is_417(port):
    """A server may refuse what it does not meet, also beside what it does."""
    for expect in ("Expect: tea", "Expect: 100-continue, tea", "Expect: 200-ok"):
        (answer,) = await answers(port, asking("/sse", "Content-Length: 2", expect=expect) + b"{}")
        assert (answer.status, answer.json["error"]["code"]) == (417, "expectation_failed")
        assert answer.json["stored"] is False


@pytest.mark.parametrize("expect", [WAITS, "Expect: tea"])
async def test_http_1_0_expects_nothing(expect, port):
    """A client of HTTP/1.0 gets no interim answer (RFC 9110 10.1.1)."""
    (answer,) = await answers(port, asking("/sse", "Content-Length: 2", expect=expect, version="1.0") + b"{}")
    assert answer.status == 422


async def test_nothing_is_asked_for_where_nothing_comes(port):
    """Without a body there is nothing to go on with."""
    (answer,) = await answers(port, raw("GET /healthz HTTP/1.1", OWN, WAITS, "Connection: close"))
    assert answer.status == 200


async def test_a_client_that_leaves_before_the_body_leaves_nothing(port):
    """A client that is asked for its body and goes away is forgotten."""
    before = (await history(port))["cursor"]
    wire = await Wire.open(port)
    await wire.send(asking("/sse", "Content-Length: 50"))
    assert (await wire.read_head()).status == 100
    wire.abort()
    assert (await history(port))["cursor"] == before
    assert (await fetch(port, "GET", "/healthz")).status == 200


# Handshakes ---------------------------------------------------------------------------------------

WRONG = {
    "no version": ("Sec-WebSocket-Version", None, 426),
    "an old one": ("Sec-WebSocket-Version", "8", 426),
    "a later one": ("Sec-WebSocket-Version", "25", 426),
    "a list": ("Sec-WebSocket-Version", "13, 8", 426),
    "no number": ("Sec-WebSocket-Version", "thirteen", 426),
    "nothing": ("Sec-WebSocket-Version", "", 426),
    "no upgrade": ("Upgrade", None, 426),
    "another upgrade": ("Upgrade", "h2c", 426),
    "no key": ("Sec-WebSocket-Key", None, 426),
    "half a key": ("Sec-WebSocket-Key", "MDAwMDAwMDA=", 400),
    "no base64": ("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==", 400),
    "another option": ("Connection", "keep-alive", 400),
}


@pytest.mark.parametrize("path", ["/websocket", "/live"])
@pytest.mark.parametrize("wrong", WRONG)
async def test_a_refused_handshake_names_the_supported_version(wrong, path, port):
    """Whatever is wrong with it, version 13 is named (RFC 6455 4.2.2, 4.4)."""
    name, value, status = WRONG[wrong]
    headers = {key: kept for key, kept in handshake().items() if key != name}
    answer = await fetch(port, "GET", path, headers | ({} if value is None else {name: value}))
    assert (answer.status, answer.headers["sec-websocket-version"]) == (status, "13")
    assert answer.json["error"].keys() == {"code", "message"}


# Messages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["sse", "jsonp", "websocket"])
async def test_a_mid_is_the_same_in_any_case(mode, port):
    """A UUID is read without regard to case (RFC 9562 section 4): repeated in capitals it is stored once."""
    sender, mid = client(mode, port), draft()["mid"]
    first = await sender.send("once", mid=mid)
    again = await client(mode, port).send("once", mid=mid.upper())
    assert (again.id, again.answer["duplicate"]) == (first.id, True)
    capital = await client("shortpoll", port).send("capital", mid=draft()["mid"].upper())
    assert (await history(port))["messages"][-1]["mid"].islower(), capital


async def test_an_acknowledgement_repeats_the_mid_as_it_was_sent(port):
    """The sender finds its send by what it wrote itself."""
    listener = await client("websocket", port).connect("latest")
    wanted = draft() | {"mid": draft()["mid"].upper()}
    await listener.wire.send(client_frame(TEXT, json.dumps(wanted).encode()))
    acks = []
    while not acks:
        answer = json.loads((await read_frame(listener.wire)).payload)
        acks = [answer["mid"]] if answer["type"] == "ack" else []
    assert acks == [wanted["mid"]]


async def test_bytes_are_conserved_whatever_was_asked(port):
    """After all of this the parts of the meters still add up."""
    await is_conserved(port)
