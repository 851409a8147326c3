"""The bytes of a send: those that crossed the socket, for the page that sent it and for the teacher."""

import json
import uuid
from contextlib import asynccontextmanager

import pytest

from lab.lanes.sends import KEPT_SENDS, Sends
from lab.server.live.own_sends import MOST_CLAIMS
from tests.support.counting import growth
from tests.support.drafts import draft
from tests.support.framings import TEXT, client_frame
from tests.support.kept_bytes import passed, refusal, teacher_sees
from tests.support.lab_here import LabHere
from tests.support.lab_state import meters
from tests.support.listeners import client, each_technique
from tests.support.live_page import LivePage
from tests.support.wire import HOST, Wire

UNKNOWN = "00000000-0000-4000-8000-000000000000"
"""The mid of no message."""


@pytest.fixture(scope="module")
def school():
    """A lab whose recorder can be read."""
    with LabHere(hold=0.5) as school:
        yield school


@asynccontextmanager
async def on_live(school):
    """A page on `/live`."""
    page = await LivePage.open(school)
    yield page
    await page.leave()


async def send(mode, port, mid, body="hello", **options):
    """Send a message by a technique; returns the bytes sent and received for it."""
    sender = client(mode, port, **options)
    if mode == "websocket":
        await sender.connect("latest")
    await sender.send_fields(draft(body, mid=mid))
    if mode == "websocket":
        (frame,), (answer,) = sender.sends, sender.answers
        await sender.leave()
        return frame, json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
    wire = sender.sending[-1]
    await sender.leave()
    return bytes(wire.sent), bytes(wire.received)


@each_technique
async def test_a_page_sees_what_crossed_the_socket(school, mode):
    """Request and response, or masked frame and ack, to the byte, as units; the teacher sees the same."""
    async with on_live(school) as page:
        mid = str(uuid.uuid4())
        await page.claims(mid.upper())
        before = await meters(school.lab.port)
        sent, received = await send(mode, school.lab.port, mid, "to the byte: 中文")
        counted = growth(before, await meters(school.lab.port))["techniques"][mode]["send"]
        found = await page.bytes_of(mid)
        assert (found["type"], found["mid"], found["left_out"]) == ("bytes", mid, 0)
        assert passed(found, True) == sent
        assert passed(found, False)[-len(received) :] == received  # of a frame, without its header
        fields = [field for unit in found["units"] for field in unit["fields"]]
        sums = {
            part: sum(f["end"] - f["start"] for f in fields if f["part"] == part)
            for part in ("head", "framing")
        }
        sums["payload"] = sum(f["end"] - f["start"] for f in fields if f["part"] == "payload")
        assert sums == {part: counted[f"{part}_bytes"] for part in sums}
        kinds = [unit["kind"] for unit in found["units"]]
        assert kinds == {
            "websocket": ["text", "text"], "jsonp": ["request", "response", "call"],
        }.get(mode, ["request", "message", "response", "answer"])  # fmt: skip
        assert teacher_sees(school, mid) == {key: found[key] for key in ("parts", "left_out", "units")}


async def test_each_send_of_a_connection_has_its_own_bytes(school):
    """On a connection that stays open a send ends with its response: what follows belongs to the next one."""
    async with on_live(school) as page:
        mids = [str(uuid.uuid4()) for _ in range(3)]
        for mid in mids:
            await page.claims(mid)
        sender = client("sse", school.lab.port)
        for mid in mids:
            await sender.send_fields(draft(mid=mid))
        found = [await page.bytes_of(mid) for mid in mids]
        await sender.leave()
        for came, all_bytes in ((True, sender.sending[0].sent), (False, sender.sending[0].received)):
            assert b"".join(passed(one, came) for one in found) == bytes(all_bytes)


async def test_fragments_are_shown_as_they_came(school):
    """A message in several frames: each with its own mask."""
    async with on_live(school) as page:
        mid = str(uuid.uuid4())
        await page.claims(mid)
        text = json.dumps(draft("in pieces", mid=mid)).encode()
        sender = await client("websocket", school.lab.port).connect("latest")
        frames = [client_frame(TEXT, text[:20], first_bits=0), client_frame(0, text[20:])]
        await sender.wire.send(b"".join(frames))
        await sender.listen_until(lambda: sender.answers)
        await sender.leave()
        found = await page.bytes_of(mid)
        assert passed(found, True) == b"".join(frames)
        assert [unit["kind"] for unit in found["units"]] == ["text", "continuation", "text"]


async def test_what_is_long_is_left_out_and_the_answer_is_there(school):
    """Of a request with more bytes than are kept no unit is half, and how much is missing is counted."""
    async with on_live(school) as page:
        mid = str(uuid.uuid4())
        await page.claims(mid)
        body = json.dumps(draft("long", mid=mid)).encode() + b" " * 9000
        headers = {"Content-Type": "application/json", "Connection": "close"}
        wire = await Wire.open(school.lab.port)
        await wire.request("POST", "/sse", headers, body)
        await wire.take_rest()
        found = await page.bytes_of(mid)
        assert [unit["kind"] for unit in found["units"]] == ["request", "response", "answer"]
        assert passed(found, False) == bytes(wire.received)
        assert found["left_out"] == len(body)
        await wire.close()


@pytest.mark.parametrize("how", [{"Transfer-Encoding": "chunked"}, {"Expect": "100-continue"}])
async def test_what_the_lab_no_longer_has_is_not_shown(school, how):
    """A body in chunks, or after 100 Continue: nothing is shown, instead of bytes that were others."""
    async with on_live(school) as page:
        mid = str(uuid.uuid4())
        await page.claims(mid)
        body = json.dumps(draft("other", mid=mid)).encode()
        head = (
            f"POST /sse HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        )
        head += "".join(f"{name}: {value}\r\n" for name, value in how.items())
        wire = await Wire.open(school.lab.port)
        if "Expect" in how:
            await wire.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            await wire.take_through(b"\r\n\r\n")
            await wire.send(body)
        else:
            await wire.send(head.encode() + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert b" 201 " in await wire.take_rest()
        assert (await page.bytes_of(mid))["error"]["code"] == "not_found"
        await wire.close()


async def test_a_long_frame_is_left_out_and_the_ack_is_there(school):
    """The same for a WebSocket."""
    async with on_live(school) as page:
        mid = str(uuid.uuid4())
        await page.claims(mid)
        sender = await client("websocket", school.lab.port).connect("latest")
        await sender.send_frame(TEXT, json.dumps(draft("long", mid=mid)).encode() + b" " * 9000)
        found = await page.bytes_of(mid)
        assert [unit["came"] for unit in found["units"]] == [False]
        assert found["left_out"] == len(sender.sends[-1])
        await sender.leave()


async def test_secrets_of_a_sender_are_blanked(school):
    """Cookies are as many asterisks for the page itself as well."""
    async with on_live(school) as page:
        mid = str(uuid.uuid4())
        await page.claims(mid)
        await send("fetch", school.lab.port, mid, headers={"Cookie": "a=secret"})
        assert "secret" not in json.dumps(await page.bytes_of(mid))


async def test_the_first_send_counts(school):
    """The same message again stores nothing, so its bytes do not replace those of the first."""
    async with on_live(school) as page:
        mid = str(uuid.uuid4())
        await page.claims(mid)
        sent, _ = await send("sse", school.lab.port, mid)
        for mode in ("longpoll", "websocket", "jsonp"):
            await send(mode, school.lab.port, mid)
        assert passed(await page.bytes_of(mid), True) == sent


@pytest.mark.parametrize("mode", ["longpoll", "websocket", "jsonp"])
async def test_a_refused_send_is_not_kept(school, mode):
    """What is not stored is no message; the page may claim its mid and send it again."""
    async with on_live(school) as page:
        mid = str(uuid.uuid4())
        await page.claims(mid)
        await send(mode, school.lab.port, mid, "x" * 501)
        assert (await page.bytes_of(mid))["error"]["code"] == "not_found"
        await send(mode, school.lab.port, mid, "shorter")
        assert "error" not in await page.bytes_of(mid)


# Pages that try to see more ---------------------------------------------------------------------


async def test_nothing_of_others(school):
    """A page that does not own a mid sees nothing: not claimed, claimed by another, claimed too late."""
    async with on_live(school) as page:
        mid, unclaimed = str(uuid.uuid4()), str(uuid.uuid4())
        await page.claims(mid)
        hostile = await LivePage.open(school)
        assert await hostile.claims(mid) == "forbidden"
        await send("sse", school.lab.port, mid)
        await send("sse", school.lab.port, unclaimed)
        for wanted in (mid, unclaimed, mid.upper()):
            assert await hostile.claims(wanted) == "forbidden"
            refused = await hostile.bytes_of(wanted)
            assert set(refused) == {"type", "mid", "error"}
            assert refused["error"]["code"] == "forbidden"
            assert refusal(school.look, f"/wire?mid={wanted}") == (403, "forbidden")
        assert "error" not in await page.bytes_of(mid)
        await hostile.leave()


@pytest.mark.parametrize("mid", [None, 7, True, [], {}, "", "x", "a" * 10_000, ["a"] * 100, "٣" * 36])
async def test_what_is_no_mid_is_refused_in_shape(school, mid):
    """Wrong types and lengths: an error with a code and a sentence, and nothing of what was sent."""
    async with on_live(school) as page:
        for type_, answered in (("mine", "error"), ("bytes", "bytes")):
            found = await page.ask(type=type_, mid=mid)
            assert (found["type"], found["mid"], found["error"]["code"]) == (answered, None, "bad_parameter")
        found = await page.ask(type="bytes")
        assert found["error"]["code"] == "bad_parameter"


@pytest.mark.parametrize(
    ("query", "status"), [("mid=x", 400), (f"mid={UNKNOWN}", 403), ("mid=" + "a" * 5000, 400)]
)
def test_a_bad_request_for_a_send(school, query, status):
    """No query gives a 500."""
    assert refusal(school.look, "/wire?" + query)[0] == status


def test_the_teacher_is_told_that_a_send_is_not_kept(school):
    """A mid of no message is a 404 for the teacher."""
    assert refusal(teacher_sees, school, str(uuid.uuid4())) == (404, "not_found")


async def test_the_newest_claims_count(school):
    """A page cannot fill the memory with claims: the oldest is forgotten."""
    async with on_live(school) as page:
        mids = [str(uuid.uuid4()) for _ in range(MOST_CLAIMS + 1)]
        for mid in mids[:-1]:
            await page.tell(type="mine", mid=mid)
        await page.claims(mids[-1])
        for mid in mids:
            await send("longpoll", school.lab.port, mid)
        codes = [
            (await page.bytes_of(mid)).get("error", {}).get("code") for mid in (mids[0], mids[1], mids[-1])
        ]
        assert codes == ["forbidden", None, None]


async def test_a_page_that_is_closed_owns_nothing(school):
    """Its claims end with its connection."""
    async with on_live(school) as page:
        mid = str(uuid.uuid4())
        other = await LivePage.open(school)
        await other.claims(mid)
        await other.leave()
        while await page.claims(mid):
            pass  # until the lab has seen that the other one is closed


async def test_the_newest_sends_are_kept():
    """As many as messages in the history, and no more mids than a fixed number."""
    sends = Sends()
    mids = [str(uuid.uuid4()) for _ in range(KEPT_SENDS + 1)]
    for mid in mids:
        sends.begin(mid)
        sends.add(mid, "websocket").keep(True, client_frame(TEXT, b"{}"))
    assert await sends.as_json(mids[0]) is None
    assert [unit["kind"] for unit in (await sends.as_json(mids[1]))["units"]] == ["text"]
    assert all(map(sends.knows, mids))
    for n in range(2000):
        sends.begin(str(n))
    assert not sends.knows(mids[-1])


async def test_an_answer_that_follows_is_shown_too():
    """What was asked for before the response was sent is dissected again."""
    sends = Sends()
    capture = sends.add("a", "websocket")
    capture.keep(True, client_frame(TEXT, b"{}"))
    assert len((await sends.as_json("a"))["units"]) == 1
    capture.keep(False, b"\x81\x02{}")
    assert len((await sends.as_json("a"))["units"]) == 2
    assert await sends.as_json("a") is await sends.as_json("a")
