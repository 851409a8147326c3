"""What the lab refuses: in one shape, saying that nothing was stored, and never with a traceback."""

import asyncio
import json
from urllib.parse import quote

import pytest

from lab.catalogue import MODES
from tests.support.drafts import draft
from tests.support.framings import BINARY, CLOSE, TEXT, client_frame, read_frame
from tests.support.lab_process import LabProcess
from tests.support.lab_state import is_in_room, top
from tests.support.listeners import CALLBACK, WAITING, client, each_technique, handshake
from tests.support.wire import HOST, JSON, Wire, eventually, fetch

POSTING = [mode for mode in MODES if mode not in ("jsonp", "websocket")]
READING_JSON = [*POSTING, "websocket"]
ABSENT = object()
LONE_SURROGATE = "half \ud800 of a pair"


@pytest.fixture
def refusing(lab):
    """The shared lab, whose history must be as it was when the test is over."""
    before = asyncio.run(top(lab.port))
    yield lab
    assert asyncio.run(top(lab.port)) == before


def assert_error(answer, code):
    """The one shape of an error: an object `error` with a code and one sentence, and nothing else."""
    assert answer["error"]["code"] == code
    assert answer["error"].keys() == {"code", "message"}
    assert answer["error"]["message"].endswith(".")


def assert_refused(answer, status, code):
    """An HTTP answer that refuses: its status, its type, its shape."""
    assert answer.status == status, answer
    assert answer.headers["content-type"].startswith("application/json")
    assert_error(answer.json, code)


def assert_not_stored(receipt, mode, status, code):
    """A send was refused, in its technique's own way, and says that the message is not stored."""
    assert receipt.status == (None if mode == "websocket" else status), receipt
    assert_error(receipt.answer, code)
    assert receipt.answer["stored"] is False
    frame = {"type", "mid"} if mode == "websocket" else set()
    assert receipt.answer.keys() == {"error", "stored"} | frame


def receive_path(mode, query):
    """The path of a receive request."""
    return f"/{mode}?{query}" + (f"&callback={CALLBACK}" if mode == "jsonp" else "")


def receive_headers(mode):
    """What a receive request needs besides."""
    return handshake() if mode == "websocket" else {}


# Receiving ----------------------------------------------------------------------------------------

BAD_CURSORS = [
    *("abc", "1", "1-", "-1", "-", "1-2-3", "1.5-2", "0x1-2", "latest1", "Latest", "null", "1e3-1", "１-２"),
    *("1" * 40 + "-1", "1-" + "1" * 40, "1--1", "+1-1", "1_0-1", "<script>", "*", "$", "0", "1-2;3"),
]


@each_technique
@pytest.mark.parametrize("cursor", BAD_CURSORS)
async def test_a_malformed_cursor_is_400(mode, cursor, refusing):
    """A cursor that is neither `<epoch>-<n>` nor `latest` is refused with 400 bad_cursor."""
    path = receive_path(mode, f"after={quote(cursor)}")
    assert_refused(await fetch(refusing.port, "GET", path, receive_headers(mode)), 400, "bad_cursor")


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/sse", {"Last-Event-ID": "x"}), ("/sse?lastEventId=x", {}), ("/sse?after=1-1&lastEventId=latest", {})],
)
async def test_a_malformed_last_event_id_is_400(path, headers, refusing):
    """A cursor in the Last-Event-ID header, or where a polyfill puts it, is checked like any other."""
    assert_refused(await fetch(refusing.port, "GET", path, headers), 400, "bad_cursor")


@pytest.mark.parametrize("mode", WAITING)
@pytest.mark.parametrize("hold", ["-1", "nan", "NaN", "-inf", "soon", "1s", "--1", "0x10"])
async def test_a_bad_hold_is_400(mode, hold, refusing):
    """`hold` is a number of seconds from 0 up."""
    path = receive_path(mode, f"after=latest&hold={hold}")
    assert_refused(await fetch(refusing.port, "GET", path), 400, "bad_parameter")


@each_technique
@pytest.mark.parametrize("query", ["after=%ff", "after=latest&client=%c3%28", "client=a&username=%ff"])
async def test_a_query_that_is_no_utf_8_is_400(mode, query, refusing):
    """Bytes that are no text are refused."""
    answer = await fetch(refusing.port, "GET", receive_path(mode, query), receive_headers(mode))
    assert_refused(answer, 400, "bad_request")


BAD_CALLBACKS = [
    *("", "alert(1)", "a-b", "1a", "a..b", ".a", "a.", "f;g", "f//", "%C3%A9", "a%20b", "f[0]", "<b>"),
    *(
        "a['b']",
        "f.0",
        "a.%20b",
        "f%0Ag",
        "f%00g",
        "%EF%BC%A1",
        "a.%D0%B0",
        "%E2%80%AEf",
        "a.b.",
        "a/**/.b",
        "f`",
        "@",
    ),
    *("function", "new", "while", "if", "null", "import", "true.f", "super.f", "typeof", "delete.f"),
    *("f" * 257, "a." * 128 + "b", "f" * 1000),
]


@pytest.mark.parametrize("path", ["/jsonp", "/jsonp/send"])
@pytest.mark.parametrize("callback", BAD_CALLBACKS)
async def test_a_callback_that_is_no_plain_name_is_400(path, callback, refusing):
    """Only the name of a JavaScript function may stand in front of the JSON, receiving and sending."""
    fields = "&".join(f"{name}={value}" for name, value in draft().items())
    answer = await fetch(refusing.port, "GET", f"{path}?hold=0&callback={callback}&{fields}")
    assert_refused(answer, 400, "bad_callback")


@pytest.mark.parametrize("path", ["/jsonp", "/jsonp/send"])
async def test_no_callback_is_400(path, refusing):
    """JSONP without a callback has no meaning."""
    assert_refused(await fetch(refusing.port, "GET", path), 400, "bad_callback")


# Sending: fields ----------------------------------------------------------------------------------

BAD_TEXT = {
    "body empty": ({"body": ""}, "bad_message"),
    "body missing": ({"body": ABSENT}, "bad_message"),
    "body of 501": ({"body": "😀" * 501}, "too_long"),
    "name empty": ({"username": ""}, "bad_message"),
    "name missing": ({"username": ABSENT}, "bad_message"),
    "name of 33": ({"username": "é" * 33}, "too_long"),
    "mid empty": ({"mid": ""}, "bad_message"),
    "mid missing": ({"mid": ABSENT}, "bad_message"),
    "mid no uuid": ({"mid": "12345678-1234-1234-1234-12345678901g"}, "bad_message"),
    "mid too long": ({"mid": "a" * 500}, "too_long"),
    "mid with newline": ({"mid": "12345678-1234-1234-1234-123456789012\n"}, "too_long"),
    "all missing": ({"mid": ABSENT, "username": ABSENT, "body": ABSENT}, "bad_message"),
}


@each_technique
@pytest.mark.parametrize(("wrong", "code"), BAD_TEXT.values(), ids=BAD_TEXT)
async def test_a_bad_field_is_422(mode, wrong, code, refusing):
    """A message with a field that is empty, missing, too long or no UUID is refused, and not stored."""
    fields = {name: value for name, value in (draft() | wrong).items() if value is not ABSENT}
    assert_not_stored(await client(mode, refusing.port).send_fields(fields), mode, 422, code)


@pytest.mark.parametrize("mode", READING_JSON)
@pytest.mark.parametrize("name", ["mid", "username", "body"])
@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], {}, ["a"], {"a": 1}, LONE_SURROGATE], ids=repr)
async def test_a_field_that_is_no_text_is_422(mode, name, value, refusing):
    """A message with a number, a list, null or half a character where text belongs is refused."""
    receipt = await client(mode, refusing.port).send_fields(draft() | {name: value})
    assert_not_stored(receipt, mode, 422, "bad_message")


async def test_a_jsonp_send_that_is_no_utf_8_is_400(refusing):
    """Percent-encoded bytes that are no text are refused, and not stored."""
    query = f"callback={CALLBACK}&mid={draft()['mid']}&username=ann&body=%ed%a0%80"
    answer = await fetch(refusing.port, "GET", f"/jsonp/send?{query}")
    assert_refused(answer, 400, "bad_request")
    assert answer.json["stored"] is False


# Sending: bodies ----------------------------------------------------------------------------------

BAD_BODIES = {
    "nothing": b"",
    "half": b'{"mid":',
    "no quotes": b"{mid: 1}",
    "two objects": b"{}{}",
    "a list": b"[1]",
    "a text": b'"hello"',
    "a number": b"5",
    "null": b"null",
    "NaN": b"NaN",
    "NaN inside": json.dumps(draft()).encode()[:-1] + b',"x":NaN}',
    "infinity inside": json.dumps(draft()).encode()[:-1] + b',"x":-Infinity}',
    "a nest": b"[" * 15_000,
    "a deep object": b'{"a":' * 2_500 + b"1" + b"}" * 2_500,
    "an endless number": json.dumps(draft()).encode()[:-1] + b',"x":' + b"9" * 10_000 + b"}",
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(draft()).encode(),
    "a raw newline in text": b'{"body":"a\nb"}',
    "a form": b"mid=1&username=ann&body=hello",
}


@pytest.mark.parametrize("mode", POSTING)
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_body_that_is_no_json_object_is_400(mode, body, refusing):
    """A body that is not one JSON object is refused with 400, and nothing is stored."""
    answer = await fetch(refusing.port, "POST", f"/{mode}", JSON | {"Content-Length": str(len(body))}, body)
    assert_refused(answer, 400, "bad_json")
    assert answer.json["stored"] is False


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_frame_that_is_no_send_is_an_error_frame(body, refusing):
    """A text frame that is not one JSON object is answered by an error, and the socket stays open."""
    listener = await client("websocket", refusing.port).connect("latest")
    assert_not_stored(await listener.send_frame(TEXT, body), "websocket", None, "bad_json")
    again = await listener.send_fields(draft(body=""))
    assert_not_stored(again, "websocket", None, "bad_message")


@pytest.mark.parametrize("mode", POSTING)
@pytest.mark.parametrize("body", [b"\xff\xfe{}", b'{"mid":"\xc3\x28"}', b'{"body":"\xed\xa0\x80"}'])
async def test_a_body_that_is_no_utf_8_is_400(mode, body, refusing):
    """JSON is UTF-8; other bytes are refused, and nothing is stored."""
    answer = await fetch(refusing.port, "POST", f"/{mode}", JSON, body)
    assert_refused(answer, 400, "bad_json")
    assert answer.json["stored"] is False


async def test_a_binary_frame_is_an_error_frame(refusing):
    """A binary frame is no send, even with JSON in it; the socket stays open."""
    listener = await client("websocket", refusing.port).connect("latest")
    receipt = await listener.send_frame(BINARY, json.dumps(draft()).encode())
    assert_not_stored(receipt, "websocket", None, "bad_json")
    assert_not_stored(await listener.send_fields(draft("")), "websocket", None, "bad_message")


async def test_an_error_frame_names_the_mid(refusing):
    """A client that sends several messages learns from the error which one was refused."""
    fields = draft("")
    receipt = await client("websocket", refusing.port).send_fields(fields)
    assert (receipt.answer["type"], receipt.answer["mid"]) == ("error", fields["mid"])


async def test_a_socket_goes_on_after_an_error(lab):
    """After a refused frame the same socket sends and receives as before."""
    listener = await client("websocket", lab.port).connect("latest")
    await listener.send_frame(TEXT, b"hello?")
    receipt = await listener.send("hello!")
    await listener.receive()
    assert listener.ids == [receipt.id]


TYPES = ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json-seq", ""]


@pytest.mark.parametrize("mode", POSTING)
@pytest.mark.parametrize("kind", [*TYPES, None])
async def test_a_body_that_is_not_called_json_is_415(mode, kind, refusing):
    """A message must come as application/json, which no foreign page can send without asking first."""
    headers = {} if kind is None else {"Content-Type": kind}
    answer = await fetch(refusing.port, "POST", f"/{mode}", headers, json.dumps(draft()).encode())
    assert_refused(answer, 415, "unsupported_media_type")
    assert answer.json["stored"] is False


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json ;a=b"]
)
async def test_json_may_be_called_so_in_any_way(kind, refusing):
    """Case and parameters of the type do not matter."""
    answer = await fetch(
        refusing.port, "POST", "/sse", {"Content-Type": kind}, json.dumps(draft("")).encode()
    )
    assert_refused(answer, 422, "bad_message")


def chunks(body):
    """A body in chunks of 10,000 bytes."""
    pieces = [body[start : start + 10_000] for start in range(0, len(body), 10_000)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


@pytest.mark.parametrize("mode", POSTING)
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("size", "status", "code"), [(65_536, 422, "too_long"), (65_537, 413, "body_too_large")]
)
async def test_a_body_above_64_kib_is_413(mode, chunked, size, status, code, refusing):
    """64 KiB of body are read; one byte more is refused, whether its length was given before or not."""
    body = json.dumps(draft("x")).encode()
    body = body[:-2] + b"x" * (size - len(body)) + body[-2:]
    how = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
    answer = await fetch(refusing.port, "POST", f"/{mode}", JSON | how, chunks(body) if chunked else body)
    assert_refused(answer, status, code)
    assert answer.json["stored"] is False


async def test_a_body_of_a_megabyte_is_413_and_the_lab_lives(refusing):
    """A body far too long is read to its end and refused, so that its sender can read the answer."""
    answer = await fetch(refusing.port, "POST", "/longpoll", JSON, b"x" * 1_000_000)
    assert_refused(answer, 413, "body_too_large")


async def test_a_frame_above_16_kib_closes_the_socket_with_1009(refusing):
    """A WebSocket message above its limit ends the connection: too big."""
    listener = await client("websocket", refusing.port).connect("latest")
    await listener.wire.send(client_frame(TEXT, json.dumps(draft("x" * 17_000)).encode()))
    frame = await read_frame(listener.wire)
    assert (frame.opcode, frame.close_code) == (CLOSE, 1009)


# Wrong methods ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nowhere", "/sse/", "/SSE", "/jsonp/sent", "//sse", "/%ff"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_404(path, method, refusing):
    """There is nothing at a path that leads nowhere, whatever one wants there."""
    answer = await fetch(refusing.port, method, path, JSON, b"{}" if method == "POST" else b"")
    assert_refused(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "status", "code"), [("GET", 404, "not_found"), ("POST", 405, "method_not_allowed")]
)
async def test_a_file_that_is_not_there_is_404(method, status, code, refusing):
    """Among the files of the pages a method is refused before the path."""
    answer = await fetch(refusing.port, method, "/static/none.js", JSON, b"{}" if method == "POST" else b"")
    assert_refused(answer, status, code)


ALLOWED = {f"/{mode}": {"GET", "HEAD", "POST"} for mode in POSTING}
ALLOWED |= {
    path: {"GET", "HEAD"} for path in ("/jsonp", "/history", "/meters", "/metrics", "/healthz", "/readyz")
}
ALLOWED |= {path: {"GET"} for path in ("/jsonp/send", "/websocket", "/live")}


METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]
WRONG = [(method, path) for path, right in ALLOWED.items() for method in METHODS if method not in right]


@pytest.mark.parametrize(("method", "path"), WRONG)
async def test_a_wrong_method_is_405_and_lists_the_right_ones(path, method, refusing):
    """A wrong method gets 405, and the right ones in `Allow`."""
    answer = await fetch(refusing.port, method, path, JSON, b"{}")
    assert_refused(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == ALLOWED[path]


@pytest.mark.parametrize("path", ["/websocket?after=latest", "/live"])
@pytest.mark.parametrize("missing", ["Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "all"])
async def test_a_plain_request_for_a_websocket_is_426(path, missing, refusing):
    """Without its handshake a WebSocket path asks to upgrade, and says to what (RFC 9110 section 15.5.22)."""
    headers = {} if missing == "all" else handshake()
    headers.pop(missing, None)
    answer = await fetch(refusing.port, "GET", path, headers)
    assert_refused(answer, 426, "upgrade_required")
    assert answer.headers["upgrade"].lower() == "websocket"


# Foreigners ---------------------------------------------------------------------------------------

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


# Limits -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict():
    """The port of a lab with a rate of one send per second and four connections per address."""
    process = LabProcess(limits={"rate": 1, "per_address": 4})
    yield process.port
    process.stop()


@each_technique
async def test_a_client_that_sends_too_fast_is_refused(mode, strict):
    """Above the rate a send is refused with 429, says that it is not stored, and when to come back."""
    sender = client(mode, strict)
    receipts = [await sender.send("quick", f"hasty {mode}") for _ in range(10)]
    stored = [receipt for receipt in receipts if "id" in receipt.answer]
    assert 2 <= len(stored) < 10
    for receipt in receipts:
        if receipt not in stored:
            assert_not_stored(receipt, mode, 429, "rate_limited")


async def test_one_hasty_client_does_not_silence_another(strict):
    """The rate is each client's own."""
    sender = client("sse", strict)
    for _ in range(5):
        await sender.send("quick", "one")
    assert (await sender.send("slow", "another")).status == 201


@each_technique
async def test_a_connection_too_many_is_503(mode, strict):
    """The fifth connection from one address is refused with 503 and when to come back; the four live on."""
    place = await wait_until_alone(strict)
    wires = [await Wire.open(strict) for _ in range(4)]
    for wire in wires:
        assert (await wire.ask("GET", "/shortpoll?after=latest")).status == 200
    answer = await fetch(strict, "GET", receive_path(mode, f"after={place}"), receive_headers(mode))
    assert_refused(answer, 503, "too_many_connections")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await wires[0].ask("GET", "/shortpoll?after=latest")).status == 200


async def wait_until_alone(port):
    """Wait until the connections of earlier tests are gone; returns the cursor."""
    for _ in range(1000):
        wires = [await Wire.open(port) for _ in range(4)]
        answers = [await wire.ask("GET", "/shortpoll?after=latest") for wire in wires]
        for wire in wires:
            await wire.close()
        if {answer.status for answer in answers} == {200}:
            return answers[0].json["cursor"]
    raise AssertionError("Connections of earlier tests did not go away")


async def test_a_place_is_free_again_when_a_client_leaves(strict):
    """The limit counts the clients that are connected now."""
    await wait_until_alone(strict)
    for _ in range(3):
        wires = [await Wire.open(strict) for _ in range(4)]
        for wire in wires:
            assert (await wire.ask("GET", "/healthz")).status == 200
            await wire.close()


@each_technique
async def test_garbage_is_survived(mode, refusing):
    """Bytes that are no HTTP end the connection and nothing else."""
    for garbage in (b"\x00" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n", b"\r\n" * 10):
        wire = await Wire.open(refusing.port)
        await wire.send(garbage)
        await wire.close()
    path = receive_path(mode, "after=bad")
    assert_refused(await fetch(refusing.port, "GET", path, receive_headers(mode)), 400, "bad_cursor")


FRAMES = {
    "no utf-8": client_frame(TEXT, b"\xff\xfe"),
    "reserved opcode": client_frame(3, b"x"),
    "reserved bit": client_frame(TEXT, b"{}", 0xC0),
    "long ping": client_frame(9, b"x" * 200),
    "a continuation of nothing": client_frame(0, b"x"),
    "one byte of a close code": client_frame(CLOSE, b"\x03"),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
async def test_a_frame_against_the_protocol_ends_the_socket(frame, refusing):
    """What RFC 6455 forbids ends the connection, and only that one."""
    listener = await client("websocket", refusing.port).connect("latest")
    await listener.wire.send(frame)
    await listener.wire.take_rest()
    assert_not_stored(await client("websocket", refusing.port).send(""), "websocket", None, "bad_message")
