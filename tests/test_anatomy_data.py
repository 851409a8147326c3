"""The data of the anatomy page: recordings, computations about bytes, and forbidden frames that are sent."""

import json
import re
import zlib
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import folders
from lab.anatomy import CUT, NOTES, Part, as_json
from lab.anatomy.forbidden import FORBIDDEN, masked
from lab.anatomy.packed import deflated
from lab.catalogue import MODES, TECHNIQUES
from lab.lanes.hidden import hidden
from lab.languages import CHINESE, own
from tests.support.kept_bytes import passed_text
from tests.support.lab_here import LabHere
from tests.support.lab_state import publish
from tests.support.listeners import client, each_technique
from tests.support.refusals import assert_refused
from tests.support.wire import HOST, JSON, fetch

NOTES_ZH = {key: own(CHINESE)[f"note.{key}"] for key in NOTES}
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
TAIL = b"\x00\x00\xff\xff"


@pytest.fixture(scope="module")
def school():
    """A lab for all of these questions."""
    with LabHere(limits={"per_address": 0}) as school:
        yield school


async def asked(school, path, **query):
    """The JSON of an answer."""
    answer = await fetch(school.lab.port, "GET", f"/anatomy/{path}?{urlencode(query)}")
    assert answer.status == 200
    return answer.json


async def probe(school, frame):
    """The answer to a request to send a frame, once the rate permits it."""
    while True:
        body = json.dumps({"frame": frame}).encode()
        answer = await fetch(school.lab.port, "POST", "/anatomy/break", JSON, body)
        if answer.status != 429:
            return answer


def values(found, kind, came):
    """The values of the first unit of a kind, by field."""
    units = [unit for unit in found["units"] if (unit["kind"], unit["came"]) == (kind, came)]
    return {field["name"]: field["value"] for field in units[0]["fields"]}


# Recorded -----------------------------------------------------------------------------------------


async def test_every_technique_was_recorded(school):
    """With the verb by which its page decides what one message needs, and who recorded it when."""
    found = await asked(school, "recorded")
    assert {one["mode"]: one["verb"] for one in found["exchanges"]} == {
        mode: technique.verb for mode, technique in TECHNIQUES.items()
    }
    assert set(found["recorded"]) == {"lab", "browser", "date"}


async def test_recorded_units_have_every_recorded_byte(school):
    """The fields tile both directions, nothing is cut, and each recording has a message."""
    for exchange in (await asked(school, "recorded"))["exchanges"]:
        for came in (True, False):
            fields = [f for unit in exchange["units"] if unit["came"] is came for f in unit["fields"]]
            size = sum(len(part["text"]) for part in exchange["parts"] if part["came"] is came)
            assert [f["start"] for f in fields] == [0, *(f["end"] for f in fields)][:-1]
            assert fields[-1]["end"] == size
        kinds = [unit["kind"] for unit in exchange["units"]]
        assert CUT not in kinds
        assert any(f["part"] == "payload" for unit in exchange["units"] for f in unit["fields"])


async def test_variants_are_what_their_names_say(school):
    """A POST with its message; the second message smaller when the window is kept; the same in binary."""
    names = (
        "websocket",
        *(f"websocket:{variant}" for variant in ("fresh", "kept", "binary")),
        "shortpoll:send",
    )
    answers = [await asked(school, "recorded", name=name) for name in names]
    found = {(e["mode"], e["variant"]): e for answer in answers for e in answer["exchanges"]}
    sizes = {}
    for variant in ("", "fresh", "kept", "binary"):
        units = [u for u in found["websocket", variant]["units"] if u["kind"] in ("text", "binary")]
        delivered = [u for u in units if not u["came"] and any(f["part"] == "payload" for f in u["fields"])]
        sizes[variant] = delivered[-1]["fields"][-1]["end"] - delivered[-1]["fields"][0]["start"]
    assert sizes["binary"] < sizes["kept"] < sizes["fresh"] < sizes[""]
    assert found["shortpoll", "send"]["units"][0]["fields"][0]["value"].strip() == "POST"


async def test_the_recorded_websocket_shows_a_whole_life(school):
    """Handshake, a frame each way, ping and pong, and a close of both sides."""
    exchange = next(
        e
        for e in (await asked(school, "recorded"))["exchanges"]
        if (e["mode"], e["variant"]) == ("websocket", "")
    )
    life = [(unit["kind"], unit["came"]) for unit in exchange["units"]]
    wanted = [("request", True), ("response", False), ("text", True), ("text", False)]
    wanted += [("ping", False), ("pong", True), ("close", True), ("close", False)]
    assert [unit for unit in wanted if unit in life] == wanted
    assert life[:2] == wanted[:2]
    assert life[-4:] == wanted[-4:]


def test_a_recording_holds_no_secret():
    """Nothing in it could be used: no cookie, no token."""
    text = (folders.PAGES / "recorded.json").read_text(encoding="utf-8").lower()
    assert "cookie:" not in text
    assert "token=" not in text
    assert "authorization" not in text


# The last exchange --------------------------------------------------------------------------------


async def last(school, mode, teacher=False):
    """The last exchange of a technique, for the teacher or for anybody."""
    key = school.lab.key.exchange(school.lab.key.ticket(), HOST) if teacher else ""
    cookie = {"Cookie": f"{school.lab.lesson.cookie}={key}"}
    answer = await fetch(school.lab.port, "GET", f"/anatomy/last?mode={mode}", cookie)
    assert answer.status == 200
    return answer.json


@each_technique
async def test_everybody_sees_the_last_exchange_but_not_what_its_client_sent(mode):
    """Nothing before the first; then the message and every length, and the teacher sees all."""
    with LabHere(hold=1) as room:
        assert await last(room, mode) is None
        listener = await client(mode, room.lab.port, username="Sauron").connect("latest")
        ids = await publish(room.lab.port, 1, "seen by everybody")
        await listener.receive_until(ids[-1])
        seen, whole = await last(room, mode), await last(room, mode, teacher=True)
        await listener.leave()
    assert "seen by everybody" in passed_text(seen, False) == passed_text(whole, False)
    assert "Sauron" in passed_text(whole, True)
    assert "Sauron" not in json.dumps(seen)
    assert len(passed_text(seen, True)) == len(passed_text(whole, True))
    assert [unit["kind"] for unit in seen["units"]] == [unit["kind"] for unit in whole["units"]]
    assert passed_text(seen, True).startswith(f"GET /{mode}?***")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), max_size=6), st.sampled_from(sorted(MODES)))
def test_hiding_keeps_every_length_whatever_the_bytes(parts, mode):
    """Random bytes of both directions: nothing raises, and only the client's bytes change."""
    exchange = as_json([Part(0.0, came, data) for came, data in parts], mode)
    before = [(part["came"], part["text"]) for part in exchange["parts"]]
    after = [(part["came"], part["text"]) for part in hidden(exchange)["parts"]]
    assert [(came, len(text)) for came, text in before] == [(came, len(text)) for came, text in after]
    assert [text for came, text in before if not came] == [text for came, text in after if not came]


def test_a_frames_message_is_hidden_and_its_form_is_not():
    """The header and the mask of a client's frame are shown, its payload is not."""
    head = b"GET /websocket HTTP/1.1\r\nUpgrade: websocket\r\nUser-Agent: Nazgul\r\n\r\n"
    frame = FORBIDDEN["unmasked"].frame[:1] + b"\x85" + masked(b"Hello")
    exchange = hidden(as_json([Part(0, True, head), Part(0, False, SWITCHING), Part(0, True, frame)]))
    text = passed_text(exchange, True)
    assert "Upgrade: websocket" in text
    assert "User-Agent:*******" in text
    assert text.endswith(frame[:6].decode("latin-1") + "*****")
    assert "Hello" not in json.dumps(exchange)


# Texts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "notes"), [("en", NOTES), ("zh-CN", NOTES_ZH), ("fr", NOTES)])
async def test_every_note_is_sent_in_the_users_language(school, language, notes):
    """With the names of units and fields; another language gets English."""
    texts = await asked(school, "texts", lang=language)
    assert {
        key.removeprefix("note."): text for key, text in texts.items() if key.startswith("note.")
    } == notes
    assert texts["anatomy.kind.text"] == ("文本帧" if notes is NOTES_ZH else "text frame")


def test_the_notes_are_the_same_in_both_languages():
    """The same keys in the same order, with the same sections of the standards."""
    assert list(NOTES) == list(NOTES_ZH)
    sources = re.compile(r"(?:RFC \d+|HTML) §[\d.]+|CVE-[\d-]+")
    for key, sentence in NOTES.items():
        assert sources.findall(sentence) == sources.findall(NOTES_ZH[key]), key


# The sandbox --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digits", "came", "kinds"),
    [
        ("818537fa213d7f9f4d5158", True, ["text"]),
        ("810548656c6c6f", False, ["text"]),
        ("010348656c80026c6f", False, ["text", "continuation"]),
        ("8a8537fa213d7f9f4d5158", True, ["pong"]),
        ("c107f248cdc9c90700", False, ["text"]),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".hex(), True, ["request"]),
        ("00", False, ["cut"]),
    ],
)
async def test_the_sandbox_dissects_what_it_is_given(school, digits, came, kinds):
    """The examples of the standards, each in the direction that its bytes show."""
    found = await asked(school, "dissect", bytes=digits)
    assert [(unit["kind"], unit["came"]) for unit in found["units"]] == [(kind, came) for kind in kinds]
    assert "".join(part["text"] for part in found["parts"]).encode("latin-1").hex() == digits


@pytest.mark.parametrize("digits", ["", "8", "zz", "81 05", "é", "00" * 4097, "%00"])
async def test_the_sandbox_refuses_what_is_no_hexadecimal(school, digits):
    """Odd digits, other characters, nothing, and more than 4,096 bytes."""
    answer = await fetch(school.lab.port, "GET", f"/anatomy/dissect?{urlencode({'bytes': digits})}")
    assert_refused(answer, 400, "bad_parameter")


async def test_the_sandbox_takes_as_much_as_it_says(school):
    """4,096 bytes fit into the line of a request."""
    found = await asked(school, "dissect", bytes="81" * 4096, mode="websocket")
    assert sum(len(part["text"]) for part in found["parts"]) == 4096


# Computations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "sha1", "accept"),
    [
        (
            "dGhlIHNhbXBsZSBub25jZQ==",
            "b37a4f2cc0624f1690f64606cf385945b2bec4ea",
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        ),
        ("sN9cRrP/n9NdMgdcy2VJFQ==", None, "fFBooB7FAkLlXgRSz0BT3v4hq5s="),
    ],
)
async def test_accept_is_computed_step_by_step(school, key, sha1, accept):
    """The standard's example (RFC 6455 section 1.3), and the key of the answer that notes give to it."""
    steps = await asked(school, "accept", key=key)
    assert (steps["key"], steps["text"][: len(key)], steps["accept"]) == (key, key, accept)
    assert sha1 in (None, steps["sha1"])


async def test_deflated_sizes_are_those_of_zlib(school):
    """A message alone, and after earlier ones: packed again here, from what the sizes say."""
    found = await asked(school, "deflated", body="Hello " * 20)
    assert [one["after"] for one in found["kept"]] == [1, 2, 10, 100]
    assert found["raw"] > found["fresh"] > found["kept"][0]["bytes"]


def test_the_standards_hello_is_packed_as_it_says():
    """RFC 7692 sections 7.2.3.1 and 7.2.3.2, and a third time; without a window always the same."""
    hello = [b"Hello"] * 3
    assert [data.hex() for data in deflated(hello, keeps_window=True)] == [
        "f248cdc9c90700",
        "f200110000",
        "02130000",
    ]
    assert {data.hex() for data in deflated(hello, keeps_window=False)} == {"f248cdc9c90700"}
    inflate = zlib.decompressobj(-15)
    assert all(inflate.decompress(data + TAIL) == b"Hello" for data in deflated(hello, keeps_window=True))


@pytest.mark.parametrize("query", ["accept?key=", "accept", f"accept?key={'a' * 101}"])
async def test_a_key_that_is_none_is_refused(school, query):
    """Empty, absent, or longer than any key."""
    assert_refused(await fetch(school.lab.port, "GET", f"/anatomy/{query}"), 400, "bad_parameter")


@pytest.mark.parametrize("query", ["deflated", f"deflated?body={'a' * 501}"])
async def test_a_body_that_is_none_is_refused(school, query):
    """Absent, or longer than a message may be."""
    assert_refused(await fetch(school.lab.port, "GET", f"/anatomy/{query}"), 400, "bad_parameter")


# Forbidden frames ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_a_forbidden_frame_is_answered_as_the_standard_demands(school, name):
    """It is really sent, and the lab's close frame has the standard's code; both sides' bytes are shown."""
    found = (await probe(school, name)).json
    assert found["closed"]
    assert values(found, "close", False)["close-code"] == str(FORBIDDEN[name].code) == str(found["code"])
    sent = "".join(part["text"] for part in found["parts"] if part["came"]).encode("latin-1")
    assert sent.endswith(b"\r\n\r\n" + FORBIDDEN[name].frame)
    assert values(found, "response", False)["status"] == "101"


async def test_one_address_may_not_send_many(school):
    """A burst of two, then one a second: 429."""
    body = json.dumps({"frame": "rsv2"}).encode()
    answers = [await fetch(school.lab.port, "POST", "/anatomy/break", JSON, body) for _ in range(4)]
    assert_refused(answers[-1], 429, "rate_limited")


@pytest.mark.parametrize("wanted", [{}, {"frame": "x"}, {"frame": ["rsv2"]}, {"frame": None}, [], "rsv2"])
async def test_another_frame_is_refused(school, wanted):
    """Only the named frames can be sent: no client chooses the bytes."""
    answer = await fetch(school.lab.port, "POST", "/anatomy/break", JSON, json.dumps(wanted).encode())
    assert_refused(answer, 400, "bad_parameter")


async def test_a_full_lab_says_so(school):
    """When the handshake is refused, its bytes are shown, and no frame is sent."""
    with LabHere(limits={"per_address": 1}) as full:
        found = (await probe(full, "unmasked")).json
    assert values(found, "response", False)["status"] == "503"
