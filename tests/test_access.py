"""Access: what a student who tries every path gets to see, and that nothing changes."""

import asyncio
import http.client
import json
import logging
import re
import sys
import time
import zlib
from collections import Counter
from contextlib import asynccontextmanager, suppress
from itertools import product

import pytest

from lab.server import logs
from lab.server.api.reports import HistoryReport
from lab.server.api.teacher import ForTeacher
from lab.server.lesson import teacher_key
from lab.server.logs import OneLine
from tests.support.drafts import draft
from tests.support.framings import CLOSE, TEXT, ServerSentEvents, client_frame, read_frame
from tests.support.lab_here import LabHere
from tests.support.lab_process import LabProcess
from tests.support.lab_state import history
from tests.support.listeners import client, each_technique, handshake
from tests.support.wire import HOST, Closed, Wire, eventually, fetch
from tests.test_cli import Serving

READING = {"GET", "HEAD"}
JSON = {"Content-Type": "application/json"}
STAND_INS = {r"\.": ".", r"(\w+)": "sse", "(.*)": "room.js"}
"""What stands for a pattern in a route, so that the route can be asked for."""


@pytest.fixture(scope="module")
def school():
    """A lab in this process."""
    with LabHere() as school:
        yield school


def routes(school):
    """Every path that the application knows, and who answers it."""
    for rule in school.lab.server.request_callback.wildcard_router.rules:
        path = rule.matcher.regex.pattern.rstrip("$")
        for pattern, stand_in in STAND_INS.items():
            path = path.replace(pattern, stand_in)
        yield path, rule.target


def teachers(school):
    """The paths that are for the teacher, each with a method that it answers to."""
    for path, handler in routes(school):
        if issubclass(handler, ForTeacher) or path == "/teacher":
            yield handler.SUPPORTED_METHODS[0], path


def state(school):
    """Everything that a teacher can change."""
    lesson = school.lab.lesson
    parts = (lesson.bet, lesson.simulated, lesson.network)
    return [part.as_json() for part in parts], lesson.assignment.way, lesson.context.meters.since


# The teacher's ------------------------------------------------------------------------------------


def test_whatever_changes_something_is_a_send_or_the_teachers(school):
    """A path that accepts more than GET and HEAD is for the teacher only, or belongs to a technique."""
    for path, handler in routes(school):
        changes = not READING.issuperset(handler.SUPPORTED_METHODS)
        assert not changes or handler.mode or issubclass(handler, ForTeacher), path
    assert len(list(teachers(school))) >= 9


STUDENTS = {
    "no key": {},
    "a guess": {"Authorization": "Bearer guess"},
    "no bearer": {"Authorization": "Basic dGVhY2hlcjo="},
    "nothing in it": {"Authorization": "Bearer "},
    "another lab's cookie": {"Cookie": "pushlab-teacher-1=x; pushlab-teacher=x"},
}


@pytest.mark.parametrize("who", STUDENTS)
async def test_no_teacher_action_works_without_the_key(who, school):
    """Without the key every teacher action answers the same 403, and nothing changes."""
    before = state(school)
    school.lab.key.guesses = teacher_key.Guesses()
    for method, path in teachers(school):
        for target in (path, f"{path}?token={'x' * 43}", f"{path}?teacher=1"):
            answer = await fetch(school.lab.port, method, target, JSON | STUDENTS[who], b"{}")
            assert answer.status == 403, (path, answer)
            assert answer.json["error"]["code"] == "forbidden"
        school.lab.key.guesses = teacher_key.Guesses()
    assert state(school) == before


async def test_all_failures_look_the_same(school):
    """A guess, a used link, another lab's cookie or nothing: each action answers all alike."""
    key, other, cookie = school.lab.key, teacher_key.TeacherKey(), school.lab.lesson.cookie
    used = key.ticket()
    assert key.exchange(used, HOST)
    tries = [("", headers) for headers in STUDENTS.values()]
    tries += [("", {"Cookie": f"{cookie}={other.exchange(other.token, HOST)}"})]
    tries += [(f"?token={token}", {}) for token in (used, key.token[:-1], "x")]
    for method, path in teachers(school):
        school.lab.key.guesses = teacher_key.Guesses()
        answers = [await fetch(school.lab.port, method, path + q, JSON | h, b"{}") for q, h in tries]
        assert {answer.status for answer in answers} == {403}
        assert len({(answer.body, *without_date(answer)) for answer in answers}) == 1, path


def without_date(answer):
    """The headers of an answer but for the moment at which it was given."""
    return [pair for pair in answer.headers.items() if pair[0] != "date"]


async def test_every_teacher_action_works_with_the_token(school):
    """The same requests with the token are not refused: so it is the token that they lack."""
    key = {"Authorization": f"Bearer {school.lab.key.token}"}
    for method, path in teachers(school):
        if path != "/teacher":  # a page, for the cookie alone
            answer = await fetch(school.lab.port, method, path, JSON | key, b"{")
            assert answer.status in (200, 400), (path, answer)


async def test_every_teacher_action_requires_json(school):
    """A form of another site cannot say that it sends JSON, so nothing else is taken."""
    key = {"Authorization": f"Bearer {school.lab.key.token}"}
    for method, path in teachers(school):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
            if method == "POST":
                answer = await fetch(school.lab.port, method, path, key | {"Content-Type": kind}, b"{}")
                assert (answer.status, answer.json["error"]["code"]) == (415, "unsupported_media_type")


async def test_a_student_changes_nothing_through_live(school):
    """No request on `/live` performs a teacher action, whatever its name."""
    before, actions = state(school), [path.rpartition("/")[2] for _, path in teachers(school)]
    wire = await watch(school.lab.port)
    for name in (*actions, "clear", "kick", "start", "stop", "open", "count", "close", "slow-down", "export"):
        said = {"type": name, "do": "start", "to": "sse", "address": HOST}
        await wire.send(client_frame(TEXT, json.dumps(said).encode()))
        while (answer := json.loads((await read_frame(wire)).payload))["type"] == "news":
            pass
        assert (answer["type"], answer["error"]["code"]) == ("error", "forbidden")
    assert state(school) == before


def try_token(school, source, token, **headers):
    """Show a token from one of this machine's addresses; returns the answer's status and Retry-After."""
    line = http.client.HTTPConnection(HOST, school.lab.port, source_address=(source, 0), timeout=10)
    headers |= JSON | {"Authorization": f"Bearer {token}"}
    line.request("POST", "/teacher/assign", b'{"to":"choice"}', headers)
    answer = line.getresponse()
    line.close()
    return answer.status, answer.headers["Retry-After"]


def test_an_address_that_guesses_tokens_has_to_wait():
    """After 30 wrong tokens an address waits, also with the right one; elsewhere the right one still opens.

    Neither another way of showing them nor an address that one only claims to have helps.
    """
    with LabHere() as school:
        right = school.lab.key.token
        tries = [
            try_token(school, "127.0.0.2", "guess", **{"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(20)
        ]
        tries += [ask(school, "127.0.0.2", f"/teacher?token=guess{n}") for n in range(10)]
        assert {status for status, _ in tries} == {403}
        for late in (try_token(school, "127.0.0.2", "guess"), try_token(school, "127.0.0.2", right)):
            assert (late[0], int(late[1])) == (429, 60)
        assert ask(school, "127.0.0.2", f"/teacher?token={right}")[0] == 429
        assert try_token(school, "127.0.0.3", right)[0] == 200
        assert ask(school, "127.0.0.3", f"/teacher?token={right}")[0] == 302


def ask(school, source, path):
    """Ask for a page from one of this machine's addresses; returns the answer's status and where it leads."""
    line = http.client.HTTPConnection(HOST, school.lab.port, source_address=(source, 0), timeout=10)
    line.request("GET", path)
    answer = line.getresponse()
    line.close()
    return answer.status, answer.headers["Location"]


def test_wrong_tokens_are_forgotten_in_a_minute(monkeypatch):
    """After the wait an address may try again; after a quiet minute the lab keeps nothing about it."""
    now = 1000.0
    monkeypatch.setattr(teacher_key.time, "monotonic", lambda: now)
    guesses = teacher_key.Guesses()
    for _ in range(teacher_key.TRIES):
        guesses.admit("a")
        guesses.note("a")
    with pytest.raises(teacher_key.TooManyTries):
        guesses.admit("a")
    guesses.admit("b")
    now += 61
    guesses.admit("a")
    assert guesses.wrong == {}


def test_the_link_works_once_and_its_cookie_is_the_browsers_alone():
    """The first who opens the link is the teacher; no script reads the cookie, no other site sends it."""
    with LabHere() as school:
        first = asyncio.run(fetch(school.lab.port, "GET", f"/teacher?token={school.lab.key.token}"))
        again = asyncio.run(fetch(school.lab.port, "GET", f"/teacher?token={school.lab.key.token}"))
    assert (first.status, first.headers["location"], again.status) == (302, "teacher", 403)
    assert {"HttpOnly", "SameSite=Strict"} <= set(first.headers["set-cookie"].split("; "))


@pytest.mark.parametrize("verdict", [True, False])
def test_secrets_are_compared_in_constant_time(verdict, monkeypatch):
    """Right, short or long: what decides is always the comparison that takes no hint from its operands."""
    for change in ("", "x", "{:.9}", "{}", "{}x", "ü"):
        key = teacher_key.TeacherKey()
        cookie, token = change.format(key.exchange(key.ticket(), HOST)), change.format(key.token)
        with monkeypatch.context() as patched:
            patched.setattr(teacher_key.hmac, "compare_digest", lambda *pair: verdict)
            met = [key.fits(cookie), key.fits_script(token, HOST), key.exchange(token, HOST) is not None]
        assert met == [verdict] * 3, change


# What leaves the lab ------------------------------------------------------------------------------


async def test_the_token_stands_in_no_answer_and_no_log():
    """The token is in no error, no page, no export and not in the most detailed log."""
    with Serving("-v", "--port", "0") as serving:
        said = serving.read_until("Ctrl-C")
        port, token = int(re.search(r":(\d+)/\n", said)[1]), re.search(r"token=([\w-]+)", said)[1]
        key = {"Authorization": f"Bearer {token}"}
        answers = [
            *[await fetch(port, "GET", f"/{where}?token={token}") for where in ("teacher", "teacher", "x")],
            *[await fetch(port, "GET", f"/teacher/meters.{kind}", key) for kind in ("json", "csv")],
            *[await fetch(port, "GET", path, key) for path in ("/", "/room?mode=sse", "/meters", "/metrics")],
            await fetch(port, "POST", f"/teacher/assign?token={token}", key | JSON, b'{"to":"nowhere"}'),
        ]
        assert [answer.status for answer in answers[:5]] == [302, 403, 404, 200, 200]
        for answer in answers:
            assert token not in answer.body.decode() + str(answer.headers)
        serving.process.terminate()
        log = serving.process.communicate(timeout=20)[0]
    assert "403 GET /teacher" in log
    assert token not in log


async def test_no_log_line_can_be_forged():
    """Whatever a stranger sends, each line of the log is the lab's own, and steers no terminal."""
    evil = "\x1b[31mERROR\x9b2J\u202e forged\x7f"
    with Serving("-v", "--port", "0") as serving:
        port = int(re.search(r":(\d+)/\n", serving.read_until("Ctrl-C"))[1])
        for head in (
            f"GET /{evil} HTTP/1.1\r\nHost: {HOST}\r\n\r\n",
            f"GET /a%0d%0aERROR%1b[31m HTTP/1.1\r\nHost: {HOST}\r\nX: {evil}\r\n\r\n",
            f"{evil} / HTTP/1.1\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{evil}: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \x1b[31m\r\n\r\n",
            "GET / HTTP/1.1\r\n" + "X: \x1b[31m" + "x" * 70_000 + "\r\n\r\n",
        ):
            wire = await Wire.open(port)
            with suppress(OSError):  # what is far too long is not read to its end
                await wire.send(head.encode())
                await wire.close()
        await client("sse", port).send("hello\r\nERROR forged", evil[:20])
        serving.process.terminate()
        log = serving.process.communicate(timeout=20)[0]
    lines = [line for line in log.splitlines() if line.strip()]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", log)
    assert len(lines) > 3
    own = r"(DEBUG|INFO|WARNING|ERROR) |  The lab is closed|  Ctrl"
    assert all(re.match(own, line) for line in lines), log


def test_text_from_outside_is_logged_on_one_line():
    """Text from outside ends no log line, controls nothing and shows no token, also in a library's logs."""
    record = logging.LogRecord(
        "x", logging.ERROR, "", 0, "%s", ("a\r\nERROR \x1b[31m\u2028b?token=abc-_1&c",), None
    )
    assert OneLine("%(levelname)s %(message)s").format(record) == (
        "ERROR a\\x0d\\x0aERROR \\x1b[31m\\x2028b?token=…&c"
    )
    try:
        raise ValueError("a\x1bb\r Bearer abc")
    except ValueError:
        record.exc_info, record.args = sys.exc_info(), ("x",)
    assert OneLine().format(record).endswith("ValueError: a\\x1bb\\x0d Bearer …")


def test_the_same_warning_is_written_once_a_second(monkeypatch):
    """What strangers can cause as often as they like is written seldom, and counted; errors always are."""
    now = 1000.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)
    sieve, written = logs.OnceASecond(), []
    for _ in range(6):
        for level, line in (("WARNING", 1), ("WARNING", 2), ("ERROR", 1)):
            record = logging.LogRecord("x", getattr(logging, level), "file", line, "%d", (line,), None)
            if sieve.filter(record):
                written.append(f"{level} {record.getMessage()}")
        now += 0.4
    again = [f"WARNING {line} (and 2 more like this)" for line in (1, 2)]
    assert [said for said in written if said != "ERROR 1"] == ["WARNING 1", "WARNING 2", *again]
    assert written.count("ERROR 1") == 6


HEADERS = {
    "content-security-policy": "default-src",
    "x-content-type-options": "nosniff",
    "referrer-policy": "",
    "cache-control": "",
}


async def test_every_answer_that_is_no_delivery_is_guarded(school, monkeypatch):
    """Pages, files, reports and errors have a policy without inline code, and no software version."""

    def broken(self):
        raise RuntimeError("a secret of the lab")

    monkeypatch.setattr(HistoryReport, "get", broken)
    for method, path, status in (
        *[("GET", path, 200) for path in ("/", "/room?mode=sse", "/compare", "/meters", "/palette.css")],
        ("GET", "/static/room.js", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/sse", 405),
        ("GET", "/sse?after=x", 400),
        ("GET", "/teacher", 403),
        ("GET", "/history", 500),
    ):
        answer = await fetch(school.lab.port, method, path)
        assert answer.status == status, path
        for name, value in HEADERS.items():
            assert answer.headers[name].startswith(value), (path, name)
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "frame-ancestors" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert "server" not in answer.headers
        assert "secret" not in answer.body.decode() and "Traceback" not in answer.body.decode()
        if not path.startswith("/static"):
            assert "no-store" in answer.headers["cache-control"]


@each_technique
async def test_a_delivery_is_not_kept_and_not_guessed(mode, lab):
    """The techniques' own answers carry what guards them, and no more: each of their bytes is measured."""
    wire = await Wire.open(lab.port)
    headers = handshake() if mode == "websocket" else {}
    await wire.request("GET", f"/{mode}?after=latest&hold=0&callback=f", headers)
    head = (await wire.read_head()).headers
    assert head["x-content-type-options"] == "nosniff"
    assert "no-store" in head["cache-control"]
    assert "server" not in head
    assert mode != "jsonp" or head["content-disposition"] == 'attachment; filename="f.txt"'


UPWARD = ["..", "%2e%2e", ".%2e", "%2e.", "..%00", "..;", "....", "%c0%ae%c0%ae", "..%c0%af", "%252e%252e"]
DELIMITERS = ["/", "%2f", "\\", "%5c", "//"]
TRAVERSALS = [f"{up}{between}" * 6 + "etc/passwd" for up, between in product(UPWARD, DELIMITERS)]


@pytest.mark.parametrize("base", ["/static/", "/static//", "/"])
async def test_no_path_leads_out_of_the_folder(base, lab):
    """Fifty ways to write "the folder above" are answered by an error in the lab's own words."""
    assert len(TRAVERSALS) == 50
    for path in TRAVERSALS:
        answer = await fetch(lab.port, "GET", base + path)
        assert answer.status in (400, 403, 404), path
        assert answer.json["error"].keys() == {"code", "message"}
        assert b"root:" not in answer.body


ELSEWHERE = ["//evil.example", "https://evil.example", "/\\evil.example", "%2f%2fevil.example", "/%09/evil"]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
async def test_nothing_leads_to_another_site(elsewhere, school):
    """Neither a path nor a parameter makes the lab send anybody away, not even with the teacher's link."""
    token = school.lab.key.ticket()
    for path in (
        f"/teacher?to={elsewhere}&token={token}",
        *(f"/?{name}={elsewhere}" for name in ("next", "to", "url", "lang")),
        f"/{elsewhere}",
        f"/static/{elsewhere}",
    ):
        answer = await fetch(school.lab.port, "GET", path)
        assert answer.headers.get("location", "teacher") == "teacher", path
        assert answer.status in (200, 302, 400, 403, 404)


async def test_no_path_answers_to_a_foreign_name(school):
    """Under a foreign host name no path shows or changes anything."""
    for path, handler in routes(school):
        for headers in ({}, handshake(), {"Authorization": f"Bearer {school.lab.key.token}"}):
            method = handler.SUPPORTED_METHODS[0]
            answer = await fetch(school.lab.port, method, path, {"Host": "evil.example"} | headers)
            assert (answer.status, answer.json["error"]["code"]) == (421, "unknown_host"), path


# Sends --------------------------------------------------------------------------------------------


@each_technique
async def test_a_mid_reveals_nothing_about_its_message(mode, lab):
    """A client that repeats another client's mid gets the id but not the message, and changes nothing."""
    first = await client("shortpoll", lab.port).send("a secret", "ann")
    mid = next(m["mid"] for m in (await history(lab.port))["messages"] if m["id"] == first.id)
    answer = (await client(mode, lab.port).send("nosy", "eve", mid=mid)).answer
    assert {name: value for name, value in answer.items() if name not in ("type", "mid")} == {
        "id": first.id,
        "duplicate": True,
    }
    assert "nosy" not in str(await history(lab.port))


@pytest.fixture(scope="module")
def strict():
    """The port of a lab with the usual limits."""
    process = LabProcess(limits={})
    yield process.port
    process.stop()


async def test_a_flood_over_http_is_refused(strict):
    """Of hundreds of sends at once the burst is taken, and the rest refused with a time to come back."""
    wire, body = await Wire.open(strict), json.dumps(draft()).encode()
    for _ in range(300):
        await wire.request("POST", "/sse", JSON, json.dumps(draft("flood", "flooder")).encode())
    answers = [await wire.read_answer() for _ in range(300)]
    taken = sum(answer.status == 201 for answer in answers)
    assert 10 <= taken < 100
    assert {answer.status for answer in answers} == {201, 429}
    assert all(int(a.headers["retry-after"]) >= 1 for a in answers if a.status == 429)
    assert (await fetch(strict, "POST", "/sse", JSON, body)).status == 201


async def test_a_flood_over_a_socket_ends_it(strict):
    """A WebSocket that exceeds its send rate too often is closed with 4029; the others stay open."""
    calm = await client("websocket", strict).connect("latest")
    listener = await client("websocket", strict).connect("latest")
    flood = [client_frame(TEXT, json.dumps(draft("flood", "eve")).encode()) for _ in range(1000)]
    await listener.wire.send(b"".join(flood))
    frames = [await read_frame(listener.wire)]
    while frames[-1].opcode != CLOSE:
        frames.append(await read_frame(listener.wire))
    refused = [frame for frame in frames if b'"rate_limited"' in frame.payload]
    assert frames[-1].close_code == 4029
    assert 50 <= len(refused) <= 100
    assert (await calm.send("still here", "ann")).answer["type"] == "ack"


async def watch(port):
    """A page on `/live`."""
    wire = await Wire.open(port)
    await wire.request("GET", "/live?light=1", handshake())
    assert (await wire.read_head()).status == 101
    return wire


async def test_a_flood_over_the_socket_of_the_pages_ends_it(strict):
    """A page that sends too much on `/live` is refused, and then closed with 4029; other pages are not."""
    calm, listener = await watch(strict), await watch(strict)
    question = client_frame(TEXT, b'{"type":"clock","at":1}')
    await listener.send(question * 1000)
    replies = Counter()
    while (frame := await read_frame(listener)).opcode != CLOSE:
        said = json.loads(frame.payload)
        replies[said.get("error", said).get("code", said["type"])] += 1
    assert frame.close_code == 4029
    assert 40 <= replies["clock"] < 500 and replies["rate_limited"] == 50
    await calm.send(question)
    while json.loads((await read_frame(calm)).payload)["type"] != "clock":
        pass


async def test_a_compression_bomb_is_closed_and_costs_nothing(start_lab):
    """A small frame that unpacks to 60 MB closes its socket with 1009, and the memory stays as it was."""
    process = start_lab(compress=True)
    squeeze = zlib.compressobj(wbits=-15)
    bomb = (squeeze.compress(b"0" * 16) + squeeze.compress(bytes(60_000_000)) + squeeze.flush())[:-4]
    before = (await fetch(process.port, "GET", "/healthz")).json["process"]["rss_bytes"]
    for _ in range(5):
        wire = await Wire.open(process.port)
        offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}
        await wire.request("GET", "/websocket?after=latest", handshake() | offer)
        assert "permessage-deflate" in (await wire.read_head()).headers["sec-websocket-extensions"]
        await wire.send(client_frame(TEXT, bomb[:16_000], 0xC0))
        frame = await read_frame(wire)
        assert (frame.opcode, frame.close_code) == (CLOSE, 1009)
    after = (await fetch(process.port, "GET", "/healthz")).json["process"]["rss_bytes"]
    assert after - before < 20_000_000


async def test_what_a_client_claims_of_its_address_is_not_believed(strict):
    """With a new X-Forwarded-For for each send one is still one client."""
    wire, answers = await Wire.open(strict), []
    for n in range(30):
        headers = JSON | {"X-Forwarded-For": f"10.0.0.{n}", "X-Real-IP": f"10.0.1.{n}"}
        body = json.dumps(draft("many", "claimant")).encode()
        answers.append(await wire.ask("POST", "/longpoll", headers, body))
    assert 429 in {answer.status for answer in answers}


# A full house ------------------------------------------------------------------------------------


@pytest.fixture
def small():
    """A lab that takes three connections."""
    process = LabProcess(limits={"connections": 3})
    yield process.port
    process.stop()


async def test_an_eventsource_that_finds_no_place_comes_back(small):
    """EventSource is refused inside a stream, with a time to return: any other status ends it for ever."""
    listeners = [await Wire.open(small) for _ in range(3)]
    for listener in listeners:
        assert (await listener.ask("GET", "/healthz")).status == 200
    answer = await fetch(small, "GET", "/sse", {"Accept": "text/event-stream"})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    stream = ServerSentEvents()
    [(kind, data, _)] = stream.feed(answer.body)
    assert (kind, json.loads(data)) == ("bye", {"type": "bye", "retry_ms": stream.retry})
    assert 1000 <= stream.retry <= 5000
    assert (await fetch(small, "GET", "/sse")).status == 503


DESCRIPTORS = 160


@pytest.fixture
def cramped():
    """A lab that the system allows few files."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        process = LabProcess()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    yield process
    process.stop()


async def test_many_clients_do_not_use_up_the_descriptors(cramped):
    """With more clients than files some are served, some get 503, and the rest are closed.

    Earlier listeners go on, the log stays short, and when the clients have gone new ones are accepted.
    """
    listener = await client("websocket", cramped.port).connect("latest")
    clients = [await Wire.open(cramped.port) for _ in range(3 * DESCRIPTORS)]
    met = Counter([await status_of(wire) for wire in clients])
    assert met[200] == DESCRIPTORS // 2 - 1
    assert met[503] >= 1
    assert met[None] >= DESCRIPTORS
    receipt = await listener.send("still here")
    await listener.receive_until(receipt.id)
    for wire in clients:
        wire.abort()
    await eventually(lambda: has_place(cramped.port), "there is place again")
    assert len(cramped.stderr().splitlines()) <= 1


@asynccontextmanager
async def without_files(start_lab):
    """A lab that has no free file for the length of the block, and a client that was connected before."""
    process = start_lab()
    listener = await Wire.open(process.port)
    assert await status_of(listener, "/healthz") == 200
    with process.no_file_left():
        yield process, listener


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process can take another's files away")
async def test_without_a_free_file_new_connections_wait(start_lab):
    """When other code has the last file, new connections wait for one; meanwhile the lab does not spin."""
    from tests.benchmarks.machine import cpu_s  # not on Windows

    async with without_files(start_lab) as (process, listener):
        new = asyncio.create_task(status_of(await Wire.open(process.port), "/healthz"))
        await eventually(lambda: complains_of_files(process), "the lab logs that new connections wait")
        began, used = time.monotonic(), cpu_s(process.pid)
        await asyncio.sleep(0.7)  # at rest it takes a hundredth of this, spinning all that it can get
        assert cpu_s(process.pid) - used < 0.15 * (time.monotonic() - began)
        assert await status_of(listener, "/healthz") == 200
        assert not new.done()
    assert await new == 200


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process can take another's files away")
async def test_a_page_that_cannot_be_opened_is_503(start_lab):
    """Without a file to read it from, a page is refused for now, and the log holds no traceback."""
    async with without_files(start_lab) as (process, listener):
        for path in ("/", "/technique/sse", "/static/live.js"):
            answer = await listener.ask("GET", path)
            assert (answer.status, answer.json["error"]["code"]) == (503, "out_of_files")
            assert answer.headers["retry-after"] == "1"
        assert (await listener.ask("GET", "/", {"Accept": "text/html"})).status == 503
    assert await status_of(listener, "/") == 200
    assert process.complaint() == ""


async def complains_of_files(process):
    """Whether the log says that there are no files."""
    return "New connections must wait: Too many open files" in process.stderr()


async def status_of(wire, path="/readyz"):
    """The status that a new connection gets; None when it is closed."""
    try:
        return (await wire.ask("GET", path)).status
    except (Closed, ConnectionError):
        return None


async def has_place(port):
    """Whether a new connection is accepted."""
    return await status_of(await Wire.open(port)) == 200
