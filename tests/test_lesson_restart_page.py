"""Pages of a guided lesson whose lab ends and starts again: a phone that stays open, and the console."""

import json

import pytest
from playwright.sync_api import expect

from tests.support.browsing import PHONE
from tests.support.lab_here import LabHere
from tests.support.redis_server import free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.needs("redis-server", "chromium"), pytest.mark.timeout(180)]

ASK = {"ask": "3 + 4", "kind": "number", "answer": 7}
STEPS = [{"use": "arrive"}, {"title": "Sum", "say": "Add.", "questions": [ASK]}]


@pytest.fixture
def again(redis_server, tmp_path):
    """Open the same lab again and again: on one Redis, in one room, at one port."""
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"steps": STEPS}), encoding="utf-8")
    how = {"redis": redis_server.url, "room": "again", "port": free_port(), "lesson": str(path)}
    return lambda: LabHere(keeps=True, **how)


def test_a_phone_and_the_console_go_on(again, browser):
    """A phone that stays open shows its answer after the restart; the console shows the step and leads on."""
    context = browser.new_context(viewport=PHONE, locale="en")
    with again() as school:
        for _ in range(2):
            school.teacher_post("lesson", do="next")
        phone = context.new_page()
        phone.goto(f"{school.address}/room?mode=sse")
        phone.click("#number button")
        expect(phone.locator("#bet-state")).to_contain_text("saved")
        wait_until(lambda: school.lab.lesson.bet.answers, "the answer")
    with again() as school:
        console = context.new_page()
        console.goto(f"{school.address}/teacher?token={school.lab.key.ticket()}")
        expect(console.locator("#guide-title")).to_have_text("Sum")
        expect(console.locator("#bet-state")).to_contain_text("1")
        expect(phone.locator("#bet-state")).to_contain_text("saved")
        console.click("#guide-next")
        expect(phone.locator("#bet")).to_have_attribute("data-state", "measured", timeout=60_000)
        expect(phone.locator("#bet-state")).to_contain_text("Your guess")
        assert len(school.lab.lesson.bet.answers) == 1
    context.close()
