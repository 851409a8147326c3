"""Receive requests and methods that the lab refuses, in one shape, and its limits."""

from urllib.parse import quote

import pytest

from tests.support.drafts import draft
from tests.support.framings import CLOSE, TEXT, client_frame
from tests.support.lab_process import LabProcess
from tests.support.listeners import WAITING, client, each_technique, handshake
from tests.support.refusals import POSTING, assert_not_stored, assert_refused, receive_headers, receive_path
from tests.support.wire import JSON, Wire, fetch

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
