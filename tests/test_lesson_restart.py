"""The guided lesson outlives its lab: after a restart the class goes on at its step, with its answers."""

import asyncio
import csv
import io
import json
import os
import re
import signal
import sys
import urllib.request
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from types import SimpleNamespace

import pytest

from lab.meters import Meters
from lab.room.history import REMEMBER_LESSON_S, History
from lab.room.tasks import Tasks
from lab.server.lesson import kept_lesson
from lab.server.lesson.assignment import Assignment
from lab.server.lesson.bet import MOST_VOTERS
from lab.server.lesson.guided import Guided
from lab.server.lesson.kept_lesson import KeptLesson
from lab.server.lesson.record import MOST_BYTES, PLACE, name_of
from lab.server.lesson.step_file import STANDARD, OwnLesson
from lab.server.lesson.why import Seen
from lab.settings import Front
from tests.support.lab_here import LabHere
from tests.support.live_page import LivePage
from tests.support.redis_server import RedisServer, free_port
from tests.support.run_lab import Serving
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.timeout(300)]

STEPS = [
    {"use": "arrive"},
    {
        "title": "Streams",
        "say": "Count.",
        "plan": {"words": ["sse"], "each": 1, "rate": 5},
        "questions": [{"ask": "?", "kind": "number", "figure": "requests", "mode": "sse", "seconds": 1}],
    },
    {
        "title": "Sum",
        "say": "Add.",
        "questions": [{"ask": "3 + 4", "kind": "number", "answer": 7, "why": ""}],
    },
]
ROOMS = count(1)


@pytest.fixture(scope="module")
def own_steps(tmp_path_factory):
    """The file of a short lesson."""
    path = tmp_path_factory.mktemp("lesson") / "own.json"
    path.write_text(json.dumps({"steps": STEPS}), encoding="utf-8")
    return str(path)


def lead(school, *actions):
    """Press the console's buttons, one after the other; returns the last state."""
    return [school.teacher_post("lesson", do=action) for action in actions][-1]


def fields_of(server, room):
    """The fields of the lesson in Redis."""
    found = server.client.hgetall(f"pushlab:{room}:lesson").items()
    return {name.decode(): json.loads(text) for name, text in found}


async def vote(port, **answers):
    """A phone for each answer."""
    for name, value in answers.items():
        page = await LivePage.open(SimpleNamespace(lab=SimpleNamespace(port=port)))
        number = (await page.news())["bet"]["number"]
        await page.tell(type="vote", client=f"{name}-id", number=number, username=name, value=value)
        await page.ask(type="clock", at=1)  # the answer has been read
        await page.leave()


async def news_of(port):
    """What a page that opens now is shown."""
    page = await LivePage.open(SimpleNamespace(lab=SimpleNamespace(port=port)))
    news = await page.news()
    await page.leave()
    return news


# As a command -------------------------------------------------------------------------------------


class Classroom:
    """An open classroom, and its teacher."""

    def __init__(self, serving):
        self.said = serving.read_until("Ctrl-C")
        self.address, self.token = re.search(r"Teacher +(\S+)/teacher\?token=(\S+)", self.said).groups()

    def ask(self, path, wanted=None):
        """GET or POST as the teacher; returns the text of the answer."""
        data = None if wanted is None else json.dumps(wanted).encode()
        head = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        with urllib.request.urlopen(urllib.request.Request(self.address + path, data, head)) as answer:
            return answer.read().decode("utf-8-sig")


@pytest.mark.skipif(sys.platform == "win32", reason="it kills by a signal")
def test_a_killed_lab_goes_on_in_the_middle_of_its_lesson(redis_server, own_steps):
    """Killed while the class answers, and started again: the same step, question and answers, and no demo."""
    redis_server.client.delete("pushlab:room:lesson")
    port = free_port()
    command = ("--port", str(port), "--redis", redis_server.url, "--lesson", own_steps)
    with Serving(*command) as serving:
        room = Classroom(serving)
        assert "Lesson" not in room.said
        for _ in range(2):
            room.ask("/teacher/lesson", {"do": "next"})
        asyncio.run(vote(port, Ann=3, 李雷=5))
        before = asyncio.run(news_of(port))
        wait_until(lambda: len(written(redis_server)) == 2, "both answers in Redis")
        os.kill(serving.process.pid, signal.SIGKILL)
        serving.process.wait(timeout=60)
    with Serving(*command, demo=True) as serving:
        room = Classroom(serving)
        assert "goes on at step 2 of 3" in room.said and "Compare" not in room.said
        after = asyncio.run(news_of(port))
        assert (after["bet"], after["lesson"]["assign"]) == (before["bet"], "rotation")
        assert after["lesson"]["number"] == before["lesson"]["number"] == 2
        table = list(csv.DictReader(io.StringIO(room.ask("/teacher/lesson.csv"))))
        assert [(row["name"], row["guess"]) for row in table] == [("Ann", "3"), ("李雷", "5")]
        assert json.loads(room.ask("/teacher/lesson", {"do": "skip"}))["number"] == 3
        asyncio.run(vote(port, Ann=7))  # the lesson goes on, and is kept as before
        wait_until(lambda: len(written(redis_server, "question:2")) == 1, "the next answer in Redis")


def written(server, name="question:1"):
    """The answers to a question that are in Redis."""
    return fields_of(server, "room").get(name, {"answers": []})["answers"]


# In this process ----------------------------------------------------------------------------------


@pytest.fixture
def restarted(redis_server, own_steps):
    """Open the same lab again and again: on one Redis, in one room, at one port."""
    room, port = f"again-{next(ROOMS)}", free_port()
    how = {"redis": redis_server.url, "room": room, "port": port, "lesson": own_steps}
    yield lambda **others: LabHere(keeps=True, **how | others), room
    redis_server.client.delete(f"pushlab:{room}", f"pushlab:{room}:lesson")


def shown(school):
    """What the pages show of the lesson, and what is exported."""
    lesson = school.lab.lesson
    answers = [(step.name, bet.answers, bet.truth(), bet.why) for step, _, bet in lesson.guided.results()]
    return lesson.guided.as_json(), lesson.bet.for_pages(), answers


def test_what_was_measured_and_the_exit_ticket_are_there_again(restarted):
    """After each restart: figures, sentences, simulated clients; at the end, how many were right."""
    again, _ = restarted
    with again() as school:
        lead(school, "next", "next")
        asyncio.run(vote(school.lab.port, Ann=2))
        wait_until(lambda: school.lab.context.meters.techniques["sse"].open, "the simulated client")
        lead(school, "next")
        wait_until(lambda: school.lab.lesson.bet.state == "measured", "the end of the count")
        before = shown(school)
        assert before[1]["why"] and before[2][0][2] >= 0
    with again() as school:
        assert shown(school) == before
        assert school.lab.lesson.simulated.plan.words == ("sse",) and school.lab.lesson.simulated.processes
        lead(school, "next")
        asyncio.run(vote(school.lab.port, Ann=7, Bob=9))
        lead(school, "next")
        lead(school, "next")
        before = shown(school)
        assert before[0]["right"] == [{"name": "step3_1", "right": 1, "voters": 2}]
    with again() as school:
        assert shown(school) == before and not school.lab.lesson.simulated.processes
        assert lead(school, "next", "next")["bet"]["voters"] == 0  # the next lesson begins without answers


def test_a_count_that_was_broken_off_is_open_again(restarted, tmp_path):
    """The lab ends while a question is counted: its answers stay, and the teacher counts again."""
    question = STEPS[1]["questions"][0] | {"seconds": 600}
    steps = tmp_path / "long.json"
    steps.write_text(json.dumps({"steps": [STEPS[0], {"title": "?", "say": "?", "questions": [question]}]}))
    again = partial(restarted[0], lesson=str(steps))
    with again() as school:
        lead(school, "next", "next")
        asyncio.run(vote(school.lab.port, Ann=2))
        lead(school, "next")
        assert school.lab.lesson.bet.state == "counting"
    with again() as school:
        assert (school.lab.lesson.bet.state, school.lab.lesson.bet.as_json()["voters"]) == ("open", 1)
        assert school.lab.lesson.guided.seen == {}


def test_while_redis_is_away_the_lesson_goes_on(own_steps, caplog):
    """Answers and steps are in memory meanwhile, and in Redis when it is back, though it has lost all."""
    server = RedisServer()
    try:
        with LabHere(redis=server.url, room="away", lesson=own_steps) as school:
            lead(school, "next", "skip", "skip")
            wait_until(lambda: name_of(2) in fields_of(server, "away"), "the question in Redis")
            assert 0 < server.client.ttl("pushlab:away:lesson") <= REMEMBER_LESSON_S
            server.kill()
            asyncio.run(vote(school.lab.port, Ann=7))
            assert lead(school, "next")["bet"]["right"] == 1
            server.start()
            wait_until(lambda: name_of(2) in fields_of(server, "away"), "the question, though all was lost")
            found = fields_of(server, "away")[name_of(2)]
            assert (found["state"], found["answers"]) == ("measured", [["Ann-id", "Ann", 7]])
        assert not server.client.exists("pushlab:away:lesson")  # a temporary lab leaves nothing
    finally:
        server.stop()


def test_of_several_labs_each_keeps_its_lesson_in_memory(redis_server, own_steps):
    """With --labs no lab writes its lesson over that of another."""
    place = {"lab": 1, "labs": 2, "port": 80, "addresses": ("127.0.0.1",), "scheme": "http"}
    front = Front(**place, token="t", ticket="u", cookie="c")
    with LabHere(redis=redis_server.url, room="one-of-two", lesson=own_steps, front=front) as school:
        lead(school, "next", "skip")
        assert kept_lesson.NAME not in school.lab.context.room.tasks.by_name
    assert not redis_server.client.exists("pushlab:one-of-two:lesson")


# Strange values -----------------------------------------------------------------------------------


@asynccontextmanager
async def at(server, room, steps=STANDARD):
    """A lesson that is kept in this room, without a lab around it."""
    history = History(server.url, room)
    around = SimpleNamespace(history=history, tasks=Tasks(), reachable=True)
    yield KeptLesson(Guided(Meters(), steps), Assignment(), around)
    await history.close()


async def kept_by(lesson):
    """Ask two questions, answer them, count one; write it all."""
    guided = lesson.guided
    for action in ("next", "next"):
        guided.do(action)
    guided.bet.vote("a", 100, "Ann")
    guided.bet.vote("\ud800", 200.5)  # half a character
    guided.do("next")
    guided.meters.techniques["shortpoll"].receive.requests += 30
    guided.finish(Seen({}, 0.0, 1.5, True, guided.step.plan))
    guided.do("next")
    guided.bet.vote("a", 300, "Ann")
    await lesson.write()


def whole(lesson):
    """All that is kept of a lesson."""
    bets = {
        place: (bet.state, bet.number, bet.answers, bet.counted, bet.seconds, bet.why)
        for place, bet in lesson.guided.bets.items()
    }
    return lesson.guided.as_json(), bets, lesson.guided.seen, lesson.assignment.way


async def test_what_is_written_is_read(redis_server):
    """A second lab has the same place, answers, counts and sentences; and writes the same again."""
    async with at(redis_server, "read") as lesson:
        await kept_by(lesson)
        before, texts = whole(lesson), fields_of(redis_server, "read")
    async with at(redis_server, "read") as other:
        assert await other.restore()
        assert whole(other) == before
        await other.write()
    assert fields_of(redis_server, "read") == texts and set(texts) == {PLACE, name_of(1), name_of(2)}


async def test_a_full_question_is_written_and_read(redis_server):
    """The most answers, the longest names and ids: still within the bound of a field."""
    async with at(redis_server, "full") as lesson:
        for action in ("next", "next"):
            lesson.guided.do(action)
        for n in range(MOST_VOTERS + 5):
            lesson.guided.bet.vote(f"{n:04}" + "\U0001f600" * 60, 99.999999999, "\U0001f600" * 100)
        await lesson.write()
        assert redis_server.client.hstrlen("pushlab:full:lesson", name_of(1)) < MOST_BYTES
    async with at(redis_server, "full") as other:
        assert await other.restore()
        assert other.guided.bets[1].answers == lesson.guided.bets[1].answers
        assert len(other.guided.bets[1].answers) == MOST_VOTERS


def changed(name, **fields):
    """Put other values into a field of the lesson; None takes one away."""

    def change(client, key):
        value = json.loads(client.hget(key, name)) | fields
        client.hset(key, name, json.dumps({k: v for k, v in value.items() if v is not None}))

    return change


def instead(name, text):
    """Put this into a field of the lesson."""
    return lambda client, key: client.hset(key, name, text)


def counts(**fields):
    """Change one of the counts of the question that was counted."""

    def change(client, key):
        value = json.loads(client.hget(key, name_of(1)))
        value["seen"]["counted"]["sse"] |= fields
        client.hset(key, name_of(1), json.dumps(value))

    return change


def another_kind(client, key):
    """Another program uses the key for something else."""
    client.delete(key)
    client.lpush(key, "x")


ALL = {
    "kind": another_kind,
    "no place": lambda client, key: client.hdel(key, PLACE),
    "no json": instead(PLACE, b"\xff\x00"),
    "empty": instead(PLACE, ""),
    "list": instead(PLACE, "[]"),
    "deep": instead(PLACE, "[" * 100_000),
    "other steps": changed(PLACE, lesson="0" * 64),
    "place": changed(PLACE, place=99),
    "negative": changed(PLACE, place=-1),
    "text": changed(PLACE, place="1"),
    "truth": changed(PLACE, place=True),
    "way": changed(PLACE, way=["sse"]),
    "large": instead(PLACE, b" " * (MOST_BYTES + 1)),
}
"""What makes the whole lesson strange."""
PART = {
    "no json": instead(name_of(1), "{"),
    "number": instead(name_of(1), "7"),
    "large": instead(name_of(1), b"[" * (MOST_BYTES + 1)),
    "state": changed(name_of(1), state="closed"),
    "no state": changed(name_of(1), state=None),
    "great": changed(name_of(1), number=10**400),
    "answers": changed(name_of(1), answers={"a": 1}),
    "guess": changed(name_of(1), answers=[["a", "Ann", "sse"]]),
    "out of bounds": changed(name_of(1), answers=[["a", "Ann", 1e300]]),
    "no number": changed(name_of(1), answers=[["a", "Ann", float("nan")]]),
    "pair": changed(name_of(1), answers=[["a", "Ann"]]),
    "id": changed(name_of(1), answers=[["a" * 65, "Ann", 100]]),
    "many": changed(name_of(1), answers=[[str(n), "", 100] for n in range(MOST_VOTERS + 1)]),
    "seen": changed(name_of(1), seen=[]),
    "count": counts(requests=-1),
    "real": counts(requests=1.5),
    "infinite": counts(slowest_s=float("inf")),
    "parts": counts(bytes=1, head_bytes=2),
}
"""What makes one question strange."""


async def spoilt(server, lesson_room, spoil, caplog):
    """Keep a lesson, let another program spoil it, and read it again; returns what was read, and the log."""
    key = f"pushlab:{lesson_room}:lesson"
    async with at(server, lesson_room) as lesson:
        await kept_by(lesson)
    spoil(server.client, key)
    async with at(server, lesson_room) as other:
        found = await other.restore()
        assert key in caplog.text
        yield found, other.guided
        other.guided.do("next" if found else "skip")  # it goes on, and what is strange is replaced
        await other.write()
        await other.write()
        assert len(fields_of(server, lesson_room)) == len(other.revisions())


goes_on = asynccontextmanager(spoilt)


@pytest.mark.parametrize("spoil", ALL.values(), ids=ALL)
async def test_a_strange_lesson_is_ignored(redis_server, spoil, caplog):
    """A key with something else, or of another lesson: the log names it, and the lesson is at its start."""
    async with goes_on(redis_server, f"all-{next(ROOMS)}", spoil, caplog) as (found, guided):
        assert not found and guided.place is None and guided.bets == {}
        guided.do("next")


@pytest.mark.parametrize("spoil", PART.values(), ids=PART)
async def test_a_strange_question_is_ignored(redis_server, spoil, caplog):
    """A question that no lab has written has no answers; the place and the other answers stay."""
    async with goes_on(redis_server, f"part-{next(ROOMS)}", spoil, caplog) as (found, guided):
        assert found and guided.place == 2 and guided.bets[1].answers == {} and 1 not in guided.seen
        assert [answer.guess for answer in guided.bets[2].answers.values()] == [300]
        assert "silence" in caplog.text


async def test_a_lesson_with_other_texts_is_another_one(redis_server):
    """A teacher who changes the steps and starts the lab again begins at the start."""
    async with at(redis_server, "texts") as lesson:
        await kept_by(lesson)
    changed_texts = OwnLesson(STANDARD.steps, STANDARD.texts | {"en": {"lesson.say.arrive": "Come in."}})
    async with at(redis_server, "texts", changed_texts) as other:
        assert not await other.restore()


def test_a_lab_starts_with_a_strange_key(redis_server, own_steps):
    """Whatever another program has put there, the lab starts, its pages open and its lesson can be led."""
    redis_server.client.set("pushlab:strange:lesson", "x")
    with LabHere(redis=redis_server.url, room="strange", lesson=own_steps) as school:
        for page in ("/", "/room", "/lesson/sheet"):
            with school.look(page) as answer:
                assert answer.status == 200
        assert lead(school, "next")["number"] == 1
        wait_until(lambda: redis_server.client.type("pushlab:strange:lesson") == b"hash", "the lesson")
