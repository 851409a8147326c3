"""What is the teacher's: no student reaches it by any path or method, and nothing changes."""

import asyncio
import http.client
import json

import pytest

from lab.server.api.teacher import ForTeacher
from lab.server.lesson import teacher_key
from tests.support.framings import TEXT, client_frame, read_frame
from tests.support.lab_here import LabHere
from tests.support.routes import routes, watch
from tests.support.wire import HOST, JSON, fetch

READING = {"GET", "HEAD"}
PAGES = ("/proxy", "/teacher")
"""Pages of the teacher, for the cookie alone."""
OTHERS = ("/anatomy/break", "/exercises/report", "/doctor/stream", "/doctor/verdict")


def teachers(school):
    """The paths that are for the teacher, each with a method that it answers to."""
    for path, handler in routes(school):
        if issubclass(handler, ForTeacher) or path in PAGES:
            yield handler.SUPPORTED_METHODS[0], path


def state(school):
    """Everything that a teacher can change."""
    lesson = school.lab.lesson
    parts = (lesson.bet, lesson.simulated, lesson.network, lesson.class_sheet, lesson.proxy_trials)
    return [part.as_json() for part in parts], lesson.assignment.way, lesson.context.meters.since


def test_whatever_changes_something_is_a_send_or_the_teachers(school):
    """A path that accepts more than GET and HEAD is for the teacher only, or belongs to a technique.

    `/anatomy/break` sends to the lab what the lab refuses, so it changes nothing but meters; at most once a
    second for each address. `/exercises/report` changes the sheet of the class, while it is
    open; `/doctor/verdict` the faults that are known of the sender's own address, and a POST to
    `/doctor/stream` nothing.
    """
    for path, handler in routes(school):
        changes = not READING.issuperset(handler.SUPPORTED_METHODS)
        assert not changes or handler.mode or issubclass(handler, ForTeacher) or path in OTHERS, path
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
        if path not in PAGES:
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
