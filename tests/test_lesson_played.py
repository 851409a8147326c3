"""A whole lesson in Chromium: teacher, wall, a phone for each technique, 30 simulated clients."""

import re
from dataclasses import replace
from functools import partial

import pytest
from playwright.sync_api import expect

from lab.server.lesson import lesson as lesson_module
from lab.server.lesson.counted import FIGURES
from lab.server.lesson.guided import Guided
from lab.server.lesson.simulated_students import Plan
from lab.server.lesson.step_file import STANDARD, OwnLesson
from lab.server.pages import i18n
from lab.server.pages.written import sentence, written
from tests.support.browsing import PHONE, PROJECTOR, barriers, picture, too_much, too_small
from tests.support.lab_here import LabHere

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(400)]

SECONDS = 8
"""At two messages a second, at random times, one of nine million counts of this length has none."""
SIMULATED = 30
"""Simulated clients of each step, at least."""
PLANS = {
    "silence": {"each": SIMULATED},
    "slowly": {"each": 5, "rate": 2, "interval": 0.15},
    "fast": {"each": 5, "rate": 10, "interval": 2},
    "far": {"each": SIMULATED},
    "useful": {"each": 5, "rate": 2},
}
"""What is changed in the plan of a step. Slowly, a short poller asks three times for each message; fast, once
for twenty. So the order differs, also on a machine that stands still for some seconds."""
ALONE = Plan(words=("sse",), each=SIMULATED, rate=1)
"""The plan of a step that has none."""
PHONE_LOOKS = (
    ("en", "light", "sse"),
    ("zh-CN", "dark", "longpoll"),
    ("en", "dark", "websocket"),
    ("en", "light", "shortpoll"),
    ("zh-CN", "light", "jsonp"),
    ("en", "light", "iframe"),
    ("zh-CN", "light", "fetch"),
)
"""A phone for each technique; the third one sleeps."""
COUNTED = ("requests", "empty", "messages", "head_bytes", "framing_bytes")


def crowded(step):
    """The same step, counted for some seconds only, and with enough simulated clients."""
    questions = tuple(replace(one, seconds=one.seconds and SECONDS) for one in step.questions)
    plan = replace(step.plan, **PLANS[step.name]) if step.plan else ALONE
    return step._replace(questions=questions, plan=plan)


def costs(meters):
    """The bytes for each message, where there was a message."""
    receive = {mode: both["receive"] for mode, both in meters.items() if both["receive"]["messages"]}
    return {mode: (one["bytes_in"] + one["bytes_out"]) / one["messages"] for mode, one in receive.items()}


def payload(receive):
    """The bytes of a message itself."""
    return receive["payload_bytes"] / receive["messages"]


def greatest(values):
    """The key of the greatest value."""
    return max(values, key=values.__getitem__)


def by_the_meters(key, mode, now, before):
    """The values that a sentence must have, from `/meters` at the end of its count, and of an earlier one."""
    cost, receive = costs(now), now[mode]["receive"] if mode else {}
    useful = {one: payload(now[one]["receive"]) / cost[one] for one in cost}
    if key.startswith("requests"):
        return {"requests": receive["requests"], "empty": receive["empty"]}
    if key == "bytes":
        parts = {f"{one}_bytes": receive[f"{one}_bytes"] / receive["messages"] for one in ("head", "payload")}
        return parts | {"all_bytes": cost[mode], "requests": receive["requests"] / receive["messages"]}
    if key.startswith("slowest"):
        return {"slowest_s": receive["delivery_s"]["max"], "messages": receive["messages"], "rtt_s": 0.2}
    if key.startswith("useful"):
        best = {} if greatest(useful) == mode else {"best_title": greatest(useful)}
        return {"mode_title": mode} | best
    if key == "costliest":
        least = min(cost, key=cost.__getitem__)
        ends = {"most_bytes": max(cost.values()), "least_bytes": cost[least]}
        return ends | {"most_title": greatest(cost), "least_title": least}
    assert (greatest(cost) == greatest(costs(before))) == (key == "order.same")
    return {"first_title": greatest(cost), "before_title": greatest(costs(before))}


@pytest.fixture
def played(monkeypatch):
    """A lab whose own lesson counts for a short time; and what `/meters` had when each count ended."""
    monkeypatch.setattr(
        lesson_module, "STANDARD", OwnLesson(tuple(map(crowded, STANDARD.steps)), STANDARD.texts)
    )
    ended, finish = [], Guided.finish

    def noting(guided, seen):
        ended.append(guided.meters.as_json()["techniques"])
        finish(guided, seen)

    monkeypatch.setattr(Guided, "finish", noting)
    with LabHere() as school:
        yield school, ended


def shown(value, bet):
    """A figure as an English page shows it."""
    return written(value, bet.question.measure.unit, partial(i18n.text, "en"))


class Play:
    """The pages of a lesson, and what is checked on them at each question."""

    def __init__(self, school, ended, visit):
        self.school, self.ended, self.guided = school, ended, school.lab.lesson.guided
        self.counts = []
        """What `/meters` had at the end of each count."""
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
        self.counts.append(meters)
        for one in bet.why:
            if (key := one["key"].removeprefix("lesson.why.")) != "overloaded":
                wanted = by_the_meters(key, bet.question.mode, meters, self.counts[-2:][0])
                assert one["values"].items() >= wanted.items()
        text = " ".join(
            sentence(one, partial(i18n.text, "en"), lambda technique: technique.title) for one in bet.why
        )
        expect(self.wall.locator("#bet-why")).to_have_text(text)
        for mode, value in bet.values().items() if not bet.question.mode else ():
            truth = self.wall.locator(f"[data-bet={mode}] .truth")
            expect(truth).to_have_text(shown(value, bet))
        if bet.question.mode:
            expect(self.wall.locator("#bet-state")).to_contain_text(shown(bet.truth(), bet))
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
        simulated = self.school.lab.lesson.simulated.as_json()
        assert simulated["students"] >= SIMULATED and not simulated["failed"]
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
    """The winner by the meters leads; it is another one than before, and the sentence says so."""
    play.check_fit("fast-measured")
    slowly, fast = (greatest(costs(meters)) for meters in play.counts[-2:])
    expect(play.wall.locator("[data-most]")).to_have_attribute("data-bet", fast)
    assert slowly != fast
    expect(play.wall.locator("#bet-why")).to_contain_text("the order has changed")


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
