"""A whole lesson in Chromium: a teacher, a wall, phones that vote and one that sleeps, simulated clients."""

import re
from dataclasses import replace
from functools import partial

import pytest
from playwright.sync_api import expect

from lab.server.lesson import lesson as lesson_module
from lab.server.lesson.counted import FIGURES
from lab.server.lesson.guided import Guided
from lab.server.lesson.step_file import STANDARD, OwnLesson
from lab.server.pages import i18n
from lab.server.pages.written import sentence
from tests.support.browsing import PHONE, PROJECTOR, barriers, picture, too_much, too_small
from tests.support.lab_here import LabHere

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(400)]

SECONDS = 8
"""At one message a second, at random times, one of 3,000 counts of this length has none."""
PHONE_LOOKS = (
    ("en", "light", "sse"),
    ("zh-CN", "dark", "longpoll"),
    ("en", "dark", "websocket"),
    ("en", "light", "shortpoll"),
    ("zh-CN", "light", "jsonp"),
    ("en", "light", "iframe"),
)
"""Six phones, each by another technique; the third one sleeps."""
COUNTED = ("requests", "empty", "messages", "head_bytes", "framing_bytes")


def shorter(step):
    """The same step, counted for some seconds only."""
    questions = tuple(replace(one, seconds=one.seconds and SECONDS) for one in step.questions)
    return step._replace(questions=questions)


@pytest.fixture
def played(monkeypatch):
    """A lab whose own lesson counts for a short time; and what `/meters` had when each count ended."""
    monkeypatch.setattr(
        lesson_module, "STANDARD", OwnLesson(tuple(map(shorter, STANDARD.steps)), STANDARD.texts)
    )
    ended, finish = [], Guided.finish

    def noting(guided, seen):
        ended.append(guided.meters.as_json()["techniques"])
        finish(guided, seen)

    monkeypatch.setattr(Guided, "finish", noting)
    with LabHere() as school:
        yield school, ended


class Play:
    """The pages of a lesson, and what is checked on them at each question."""

    def __init__(self, school, ended, visit):
        self.school, self.ended, self.guided = school, ended, school.lab.lesson.guided
        teacher = visit(school.address, size=PROJECTOR)
        self.teacher = teacher.open(f"/teacher?token={school.lab.key.ticket()}")
        self.wall = teacher.open("/?view=projector")
        self.phones = [
            visit(school.address, language=language, theme=theme, size=PHONE).open(f"/room?mode={mode}")
            for language, theme, mode in PHONE_LOOKS
        ]
        self.next = self.teacher.locator("#guide-next")
        self.awake = [self.teacher, self.wall, *self.phones]

    def press(self, state):
        """Press the one button, and wait until every page is in this state."""
        expect(self.next).to_be_enabled(timeout=60_000)
        self.next.click()
        self.all_show(state)

    def all_show(self, state):
        """Every page that is awake shows the question in this state."""
        for page in self.awake:
            expect(page.locator("#bet")).to_have_attribute("data-state", state, timeout=60_000)

    def answer(self):
        """Two phones answer, one of them by its keyboard; the others look, and one of those sleeps."""
        question, (first, second, *_) = self.guided.bet.question, self.phones
        if question.kind == "number":
            first.focus("#number-range")
            first.keyboard.press("ArrowRight")
            first.keyboard.press("Tab")
            first.keyboard.press("Enter")
            second.click("#number button")
        else:
            first.focus("[data-bet=jsonp] .guess")
            first.keyboard.press("Enter")
            second.click("[data-bet=sse] .guess")
        expect(self.wall.locator("#bet-state")).to_contain_text("2")

    def check_fit(self, name):
        """Nothing is wider than a phone, and a projector shows everything in letters that can be read."""
        for n, phone in enumerate(self.phones):
            assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
            picture(phone, f"lesson-{name}-phone-{n}")
        picture(self.wall, f"lesson-{name}-wall")
        picture(self.teacher, f"lesson-{name}-console", whole=True)
        assert (too_much(self.wall), too_small(self.wall)) == ([], []), name

    def check_figures(self):
        """What is shown is what `/meters` had at the end of the count, to the byte."""
        bet, meters = self.guided.bet, self.ended[-1]
        for mode, counted in bet.counted.items():
            receive = meters[mode]["receive"]
            assert {name: getattr(counted, name) for name in COUNTED} == {n: receive[n] for n in COUNTED}
            assert counted.bytes == receive["bytes_in"] + receive["bytes_out"]
            assert counted.slowest_s == (receive["delivery_s"]["max"] or 0)
        assert bet.why, "something was measured"
        text = " ".join(
            sentence(one, partial(i18n.text, "en"), lambda technique: technique.title) for one in bet.why
        )
        expect(self.wall.locator("#bet-why")).to_have_text(text)
        copy = self.teacher.request.get(f"{self.school.address}/lesson/sheet?answers=1").text()
        assert text.replace("&", "&amp;") in copy

    def question(self, name, measured):
        """Play one question, from its first appearance to its answer."""
        expect(self.teacher.locator("#bet-ask")).to_have_text(i18n.text("en", f"lesson.ask.{name}"))
        self.answer()
        if name in ("silence", "fast"):
            self.check_fit(f"{name}-open")
        self.press("counting" if measured else "measured")
        self.all_show("measured")
        if measured:
            self.check_figures()


def test_a_whole_lesson(played, visit):
    """One button leads from arrival to exit ticket; every figure is the meters', every sentence true."""
    play = Play(*played, visit)
    play.next.click()
    expect(play.teacher.locator("#guide-title")).to_have_text("Arrive")
    expect(play.teacher.locator("[name=to]")).to_have_value("rotation")
    assert played[0].lab.lesson.assignment.way == "rotation"
    for step in play.guided.steps[1:]:
        for question in step.questions:
            play.press("open")
            expect(play.teacher.locator("#guide-title")).to_have_text(
                i18n.text("en", f"lesson.title.{step.name}")
            )
            play.question(question.name, bool(question.figure))
            if question.name in AFTERWARDS:
                AFTERWARDS[question.name](play)
    play.next.click()
    expect(play.teacher.locator("#guide-title")).to_have_text("Guided lesson")
    expect(play.teacher.locator("#guide-results li")).to_have_count(3)
    expect(play.teacher.locator("#guide-results li").last).to_contain_text("of 2")
    expect(play.phones[0].locator("#bet")).to_be_hidden()
    sheet = visit(played[0].address, size=PHONE).open("/lesson/sheet")
    assert barriers(sheet) == []
    assert sheet.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    table = play.teacher.request.get(f"{played[0].address}/teacher/lesson.csv").text()
    assert len(table.splitlines()) == 1 + 2 * sum(len(step.questions) for step in play.guided.steps)


def after_silence(play):
    """The measured line stands in the histogram of two guesses; no barrier for anyone."""
    play.check_fit("silence-measured")
    expect(play.wall.locator(".histogram .line")).to_have_text(re.compile(r"^[\d,]+$"))
    expect(play.wall.locator(".histogram")).to_have_attribute("aria-label", re.compile("Guesses: 2"))
    assert play.guided.bet.truth() >= 30
    for page in (play.teacher, *play.phones[:2]):
        assert barriers(page) == []
    sleeper = play.phones[2]
    sleeper.goto("about:blank")  # it sleeps through a question
    play.awake.remove(sleeper)


def after_slowly(play):
    """The phone that slept through a question shows the present one when it wakes."""
    sleeper = play.phones[2]
    assert play.guided.bet.truth() == FIGURES["bytes"].of(play.guided.bet.counted["longpoll"])
    sleeper.goto(f"{play.school.address}/room?mode=websocket")
    play.awake.append(sleeper)
    play.all_show("measured")


def after_fast(play):
    """The winner by the meters leads; the sentence compares it with the rate before, as measured."""
    play.check_fit("fast-measured")
    cost = {
        mode: (m["receive"]["bytes_in"] + m["receive"]["bytes_out"]) / m["receive"]["messages"]
        for mode, m in play.ended[-1].items()
    }
    first = max(cost, key=cost.__getitem__)
    expect(play.wall.locator("[data-most]")).to_have_attribute("data-bet", first)
    before = play.guided.seen[play.guided.place - 1].counted
    was_first = max(before, key=lambda mode: before[mode].bytes / before[mode].messages)
    expected = "the order has changed" if first != was_first else "the first place has not changed"
    expect(play.wall.locator("#bet-why")).to_contain_text(expected)


def after_far(play):
    """The slowest message waited in the server for the next request, and a simulated round trip is named."""
    expect(play.wall.locator("#bet-why")).to_contain_text("200 ms")


def after_ticket(play):
    """The exit ticket shows how many were right."""
    expect(play.teacher.locator("#bet-state")).to_contain_text("of 2")
    play.check_fit("ticket-measured")


AFTERWARDS = {
    "silence": after_silence,
    "slowly": after_slowly,
    "fast": after_fast,
    "far": after_far,
    "ticket_far": after_ticket,
}
