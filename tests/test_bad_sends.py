"""Sends that the lab refuses, saying that nothing was stored."""

import json

import pytest

from tests.support.drafts import draft
from tests.support.framings import BINARY, CLOSE, TEXT, client_frame, read_frame
from tests.support.listeners import CALLBACK, client, each_technique
from tests.support.refusals import POSTING, assert_not_stored, assert_refused
from tests.support.wire import JSON, fetch

READING_JSON = [*POSTING, "websocket"]
ABSENT = object()
LONE_SURROGATE = "half \ud800 of a pair"


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
