"""The guided lesson without a browser: its steps, the answers of a class, what is counted, what it says."""

import asyncio
import csv
import io
import json
import urllib.error
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.catalogue import MODES
from lab.languages import catalogue
from lab.meters import Meters
from lab.server.lesson.bet import MOST_VOTERS, Bet
from lab.server.lesson.counted import FIGURES, Counted
from lab.server.lesson.questions import NUMBER, TECHNIQUE, Question
from lab.server.lesson.simulated_students import Plan
from lab.server.lesson.steps import STEPS
from lab.server.lesson.why import Seen, sentences
from lab.server.pages import i18n
from tests.support.lab_here import LabHere
from tests.support.live_page import LivePage
from tests.support.wire import fetch

POLLS = {"ask": "?", "kind": "number", "figure": "requests", "mode": "shortpoll", "seconds": 1}
OWN = {
    "steps": [
        {"title": "Begin", "say": "Hello."},
        {"title": "Polls", "say": "Count.", "questions": [POLLS]},
        {
            "title": "Bytes",
            "say": "Vote.",
            "questions": [{"ask": "?", "kind": "technique", "figure": "bytes", "seconds": 1}],
        },
        {
            "title": "Sum",
            "say": "Add.",
            "questions": [{"ask": "3 + 4", "kind": "number", "answer": 7, "why": "{}"}],
        },
    ]
}


@pytest.fixture(scope="module")
def class_room(tmp_path_factory):
    """A lab with a short lesson of its own, in which one address may be a whole class."""
    path = tmp_path_factory.mktemp("lesson") / "own.json"
    path.write_text(json.dumps(OWN), encoding="utf-8")
    with LabHere(lesson=str(path), limits={"rate": 0, "per_address": 0}) as school:
        yield school


@pytest.fixture
def begun(class_room):
    """The lesson at its first question, which no one has answered."""
    lead(class_room, "end")
    lead(class_room, "next")
    assert lead(class_room, "next")["bet"]["state"] == "open"
    return class_room


def lead(school, action):
    """Press one of the console's buttons; returns the new state."""
    return school.teacher_post("lesson", do=action)


def until(school, state):
    """The question, once it is in this state."""

    async def wait():
        async with asyncio.timeout(30):
            while school.lab.lesson.bet.state != state:  # noqa: ASYNC110 - it changes in another thread
                await asyncio.sleep(0.02)

    asyncio.run(wait())
    return school.lab.lesson.bet


@contextmanager
def refused(status):
    """The request in the block is refused with this status."""
    with pytest.raises(urllib.error.HTTPError) as error:
        yield
    assert error.value.code == status
    error.value.close()


def page_of(school, path, **headers):
    """The text of a page or a file, as a browser gets it."""
    with school.look(path, **headers) as answer:
        return answer.read().decode("utf-8-sig")


async def answers(school, count, guesses=lambda n: {"value": 100}, **fields):
    """Open pages of so many phones; every one but each second answers. Returns the pages."""
    pages = [await LivePage.open(school) for _ in range(count)]
    number = school.lab.lesson.bet.number
    for n, page in enumerate(pages[::2]):
        about = {"client": f"phone-{n}", "number": number, "username": f"Phone {n}"} | guesses(n) | fields
        await page.tell(type="vote", **about)
        await page.ask(type="clock", at=1)  # the answer has been read
    for page in pages:
        await page.leave()


# A class --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phones", [1, 30, 200])
async def test_the_guesses_of_a_class_stand_in_a_histogram(begun, phones):
    """Of 1, 30 or 200 phones half sleep: each answer is counted once, and shown only after the voting."""
    await answers(begun, phones, lambda n: {"value": 10 * (n + 1)})
    awake = (phones + 1) // 2
    assert begun.lab.lesson.bet.for_pages().keys() & {"columns", "truth"} == set()
    state = (await asyncio.to_thread(lead, begun, "next"))["bet"]
    assert (state["voters"], sum(state["columns"])) == (awake, awake)
    assert state["median"] == 10 * (awake + 1) / 2


async def test_what_is_shown_is_what_the_meters_have(begun):
    """The count begins at zero; its number is that of `/meters`, and none before its time is over."""
    state = await asyncio.to_thread(lead, begun, "next")
    assert (state["bet"]["state"], state["bet"]["truth"]) == ("counting", None)
    for _ in range(7):
        await fetch(begun.lab.port, "GET", "/shortpoll")
    bet = await asyncio.to_thread(until, begun, "measured")
    meters = (await fetch(begun.lab.port, "GET", "/meters")).json["techniques"]["shortpoll"]["receive"]
    assert bet.truth() == meters["requests"] == 7
    assert bet.why[0]["values"] == {"requests": 7, "empty": meters["empty"], "time_s": bet.seconds}
    assert begun.lab.lesson.guided.place == 1  # what was counted waits for the teacher


async def test_a_late_page_sees_the_present_question(begun):
    """A phone that arrives late, or wakes, receives the question with its first update."""
    page = await LivePage.open(begun)
    first = await page.news()
    assert first["bet"]["question"]["name"] == "step2_1"
    assert (first["lesson"]["number"], first["lesson"]["of"]) == (2, 4)
    await page.leave()


async def test_an_answer_is_for_the_question_that_was_shown(begun):
    """An answer that a sleeping phone sends later does not answer another question."""
    await answers(begun, 1, number=begun.lab.lesson.bet.number - 1)
    assert begun.lab.lesson.bet.answers == {}


# The buttons ----------------------------------------------------------------------------------------


def test_back_skip_and_again(begun):
    """Back shows what was measured, again asks once more; a count can be left by skip, but not shortened."""
    lead(begun, "next")
    with refused(400):
        lead(begun, "next")
    assert lead(begun, "skip")["step"] == "step3"
    assert lead(begun, "back")["bet"]["state"] == "open"  # it was not counted to its end
    lead(begun, "next")
    until(begun, "measured")
    assert lead(begun, "next")["step"] == "step3"
    assert lead(begun, "back")["bet"]["state"] == "measured"
    assert lead(begun, "again")["bet"] == begun.lab.lesson.bet.for_pages()
    assert begun.lab.lesson.bet.state == "open"
    assert lead(begun, "end")["number"] is None
    assert lead(begun, "back")["step"] == "step4"


def test_nothing_is_said_about_nothing(begun):
    """Where no message was delivered there is no right answer, and no sentence."""
    lead(begun, "skip")
    lead(begun, "next")
    assert until(begun, "measured").for_pages()["why"] == []
    assert set(begun.lab.lesson.bet.as_json()["truth"].values()) == {None}


def test_a_vote_by_hand_stands_beside_the_lesson(begun):
    """Opened by hand, the vote is shown; closed, the question of the lesson is there again."""
    begun.teacher_post("bet", do="open")
    assert begun.lab.lesson.bet.question.name == "most_bytes"
    begun.teacher_post("bet", do="count")
    begun.teacher_post("bet", do="close")
    assert begun.lab.lesson.bet.question.name == "step2_1"
    with refused(400):
        begun.teacher_post("bet", do="count")


def test_a_reset_in_the_middle_begins_the_count_again(begun):
    """The teacher resets the meters: the seconds of the count begin again too."""
    lead(begun, "next")
    bet, before = begun.lab.lesson.bet, begun.lab.lesson.bet.began
    begun.teacher_post("reset")
    assert bet.began > before
    assert until(begun, "measured").seconds >= 1


# Strangers ------------------------------------------------------------------------------------------

BAD = [
    {"value": 0},
    {"value": -1},
    {"value": 1e300},
    {"value": float("nan")},
    {"value": True},
    {"value": "100"},
    {"value": [1]},
    {"mode": "sse"},
    {"client": 7},
    {"client": None},
]


async def test_what_is_no_answer_changes_nothing(begun):
    """A number out of bounds, of another kind or without an id is not counted, and the lab goes on."""
    page = await LivePage.open(begun)
    for bad in BAD:
        await page.tell(**{"type": "vote", "client": "a", "value": 100} | ({"value": None} | bad))
    await page.ask(type="clock", at=1)
    assert begun.lab.lesson.bet.answers == {}
    await page.leave()


async def test_a_page_answers_under_one_id(begun):
    """A page that claims many ids has one answer, the newest; a very long id is cut."""
    page = await LivePage.open(begun)
    for n in range(10):
        await page.tell(type="vote", client=f"{n}" * 1000, value=n + 1)
    await page.ask(type="clock", at=1)
    assert [(len(client), answer.guess) for client, answer in begun.lab.lesson.bet.answers.items()] == [
        (64, 10)
    ]
    await page.leave()


def test_the_answers_of_a_question_are_bounded():
    """However many ids come, so many are kept; those that are known may still change their answer."""
    bet = Bet(Meters(), Question("q", NUMBER, "requests", "sse"))
    bet.do("open")
    for n in range(MOST_VOTERS + 50):
        bet.vote(str(n), 5)
    bet.vote("0", 6)
    assert (len(bet.answers), bet.answers["0"].guess) == (MOST_VOTERS, 6)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("李雷", "李雷"),
        ("=1+1", "'=1+1"),
        ("a\u202eb", ""),
        ("\ud800", ""),
        ("x" * 33, ""),
        (7, ""),
        ('a,"b', 'a,"b'),
    ],
    ids=["plain", "formula", "direction", "half", "long", "number", "quote"],
)
async def test_the_export_holds_no_formula(begun, name, kept):
    """The table has name, guess and truth; a name that could do harm is not in it, or is text."""
    await answers(begun, 1, username=name)
    key = f"Bearer {begun.lab.key.token}"
    table = await asyncio.to_thread(page_of, begun, "/teacher/lesson.csv", Authorization=key)
    row = list(csv.DictReader(io.StringIO(table)))[-1]
    assert row == {"step": "step2", "question": "step2_1", "name": kept, "guess": "100", "truth": ""}


# Sentences ------------------------------------------------------------------------------------------

counts = st.builds(
    Counted,
    requests=st.integers(0, 9999),
    empty=st.just(0),
    messages=st.integers(0, 999),
    bytes=st.integers(0, 10**7),
    open=st.integers(0, 30),
    slowest_s=st.floats(0, 10),
)
seen = st.builds(
    Seen,
    counted=st.fixed_dictionaries(dict.fromkeys(MODES, counts)),
    seconds=st.floats(1, 60),
    rate=st.none() | st.floats(0, 20),
    overloaded=st.booleans(),
    plan=st.none() | st.builds(Plan, rtt_ms=st.integers(0, 2000)),
)
questions = [question for step in STEPS for question in step.questions]
measured = [question for question in questions if question.figure]


@pytest.mark.parametrize("question", measured, ids=lambda question: question.name)
@settings(max_examples=20)
@given(now=seen, earlier=st.none() | seen)
def test_every_sentence_has_a_text_for_every_measurement(question, now, earlier):
    """Whatever was counted, the sentence exists in both languages, and each of its values was measured."""
    for one in sentences(question, now, earlier):
        assert None not in one["values"].values()
        for language in i18n.LANGUAGES:
            assert "{" not in i18n.text(language, one["key"], **one["values"])


@settings(max_examples=40)
@given(now=seen, earlier=seen)
def test_the_order_is_the_one_that_was_measured(now, earlier):
    """The most and the least expensive are those of the counts, and so is whether the first place changed."""
    found = {one["key"].removeprefix("lesson.why."): one["values"] for one in by_bytes(now, earlier)}
    costs = [costs_of(one) for one in (now, earlier)]
    if values := found.get("costliest"):
        assert values["most_bytes"] == max(costs[0].values())
        assert values["least_bytes"] == min(costs[0].values())
    first = [max(cost, key=cost.__getitem__) for cost in costs if cost]
    if "order.changed" in found:
        assert first[0] != first[1]
    if "order.same" in found:
        assert first[0] == first[1]


def by_bytes(now, earlier):
    """What is said about the technique that needs the most bytes."""
    return sentences(Question("fast", TECHNIQUE, "bytes"), now, earlier)


def costs_of(counted):
    """The bytes for each message, where there was a message."""
    return {mode: one.bytes / one.messages for mode, one in counted.counted.items() if one.messages}


@pytest.mark.parametrize(("fast", "key"), [(4000, "order.changed"), (40_000, "order.same")])
def test_the_order_at_two_rates(fast, key):
    """Short polling is the first at one message a second; at ten it is so only if it was measured so."""
    slow = {
        "shortpoll": Counted(20, messages=10, bytes=20_000),
        "longpoll": Counted(10, messages=10, bytes=9_900),
    }
    now = {
        "shortpoll": Counted(20, messages=20, bytes=fast),
        "longpoll": Counted(20, messages=20, bytes=19_800),
    }
    said = by_bytes(Seen(now, 20, 10.0), Seen(slow, 30, 1.0))
    assert [one["key"] for one in said] == ["lesson.why.costliest", f"lesson.why.{key}"]


@pytest.mark.parametrize(("slowest", "key"), [(0.1, "less"), (0.19, "one"), (0.21, "one"), (0.5, "more")])
def test_a_round_trip_is_claimed_only_if_it_was_measured(slowest, key):
    """Three transits are spoken of where the slowest message waited about one round trip."""
    now = Seen(
        {"longpoll": Counted(9, messages=9, bytes=9, slowest_s=slowest)}, 30, 2.0, False, Plan(rtt_ms=200)
    )
    said = sentences(Question("far", NUMBER, "slowest", "longpoll"), now)
    assert [one["key"] for one in said] == [f"lesson.why.slowest.{key}"]


def test_a_figure_without_a_message_is_not_zero():
    """Costs for each message are None without one, and so is what no client has asked for."""
    assert {name: figure.of(Counted()) for name, figure in FIGURES.items()} == dict.fromkeys(FIGURES)
    assert FIGURES["requests"].of(Counted(open=1)) == 0


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_step_and_question_has_its_texts(language):
    """A step has a title and what the teacher says, a question its own text; an answer has its reason."""
    keys = catalogue(language).keys()
    assert {f"lesson.{kind}.{step.name}" for step in STEPS for kind in ("title", "say")} <= keys
    assert {f"lesson.ask.{question.name}" for question in questions} <= keys
    assert {f"lesson.why.{question.name}" for question in questions if question.answer} <= keys
    assert len(STEPS) == 8 + 1


# The worksheet --------------------------------------------------------------------------------------


def test_the_worksheet_has_no_answers_and_the_teachers_copy_has_this_rooms(begun):
    """Students print blanks; the teacher's copy has the median, what was measured, and why."""
    lead(begun, "next")
    until(begun, "measured")
    cookie = f"{begun.lab.lesson.cookie}={begun.lab.key.exchange(begun.lab.key.ticket(), '127.0.0.1')}"
    blank = page_of(begun, "/lesson/sheet")
    copy = page_of(begun, "/lesson/sheet?answers=1", Cookie=cookie)
    assert ("Polls" in blank, "3 + 4" in blank, "Count." in blank, "<dd>7</dd>" in blank) == (
        True,
        True,
        False,
        False,
    )
    assert ("Count." in copy, "<dd>7</dd>" in copy) == (True, True)
