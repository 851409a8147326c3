"""The teacher's page in a real browser: what the teacher does reaches every page."""

import json
import re
import time
import urllib.request

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lab.catalogue import MODES
from tests.support.browsing import PROJECTOR, barriers, picture, post, sheets, too_much, too_small, unfold
from tests.support.room_user import User, publishing

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]


def test_simulated_students_come_and_go(lab_here, open_page):
    """Started, they listen by every technique that was ticked, and say what they are; stopped, they end."""
    teacher = open_page(lab_here, "/teacher", teacher=True)
    page = open_page(lab_here, "/")
    expect(page.locator("#simulated")).to_be_hidden()
    others = [mode for mode in MODES if mode != "shortpoll"]
    unfold(teacher, "#crew")
    teacher.uncheck("#crew [value=shortpoll]")
    teacher.fill("#crew [name=each]", "2")
    teacher.fill("#crew [name=rate]", "10")
    teacher.fill("#crew [name=rtt_ms]", "100")
    teacher.click("#crew [value=start]")
    expect(teacher.locator("#crew-state")).to_contain_text(f"{2 * len(others)} simulated")
    expect(teacher.locator("#crew-state")).to_contain_text("round trip 100 ms, simulated")
    for mode in others:
        expect(teacher.locator(f"[data-meters={mode}] [data-figure=open]")).to_have_text(
            re.compile("^[12]$"), timeout=30_000
        )
    expect(page.locator("#simulated")).to_be_visible()
    expect(page.locator("#count")).to_have_text("0")
    reader = open_page(lab_here, "/room")
    expect(reader.locator("#messages .name").first).to_have_text("simulated · 模拟")
    teacher.click("#crew [value=stop]")
    expect(teacher.locator("#crew-state")).to_have_text("none")
    for mode in others:
        expect(teacher.locator(f"[data-meters={mode}] [data-figure=open]")).to_have_text(re.compile("^[01]$"))


def test_the_pace_reaches_the_browsers(lab_here, browser):
    """Interval and hold go to the pages in the room; no poll is held longer than the lab itself allows."""
    context = browser.new_context()
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    asking = ("shortpoll", "longpoll", "jsonp")
    users = {mode: User(context, lab_here.address, mode, clock=True) for mode in asking}
    lab_here.teacher_post("crew", do="pace", interval=30, hold=59)
    for user in users.values():
        user.page.wait_for_function("async () => (await import('/static/pace.js')).pace.interval === 30")
    post(lab_here.address)  # held requests are answered, and asked again
    for mode in ("longpoll", "jsonp"):
        assert_soon(
            users[mode].page, lambda mode=mode: any(f"/{mode}?" in u and "hold=25" in u for u in asked)
        )
    page = users["shortpoll"].page

    def polls():
        page.evaluate("fetch('/healthz').then((answer) => answer.text())")  # the answers have been received
        return len([url for url in asked if "/shortpoll?" in url])

    for _ in range(2):
        with page.expect_response("**/shortpoll?*"):
            page.clock.fast_forward(30_000)
        before = polls()
        page.clock.fast_forward(15_000)
        assert polls() == before
    context.close()


def assert_soon(page, condition):
    """Wait until something comes true, while the page goes on."""
    for _ in range(200):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("It did not come true in time.")


def test_an_empty_room_shows_no_number_of_users(lab_here, open_page):
    """A new user is counted; until the lab has counted it, the page shows no number."""
    page = open_page(lab_here, "/")
    page.add_init_script(
        """new MutationObserver(() => {
            const text = document.querySelector("#here")?.textContent;
            if (text) (window.said ??= new Set()).add(text);
        }).observe(document, { childList: true, subtree: true });"""
    )
    page.goto(f"{lab_here.address}/room?mode=iframe")
    expect(page.locator("#here")).to_have_text("1 here")
    assert page.evaluate("[...said]") == ["1 here"]


def test_the_bet(lab_here, open_page):
    """A phone votes and may change its mind; then the bars show the counts; then it is over."""
    teacher = open_page(lab_here, "/teacher", teacher=True)
    phone = open_page(lab_here, "/room?mode=sse")
    other = open_page(lab_here, "/room?mode=longpoll")
    wall = open_page(lab_here, "/")
    unfold(teacher, "#guide")
    teacher.click("[data-action=bet] [value=open]")
    for mode in ("jsonp", "longpoll"):
        phone.click(f"[data-bet={mode}] button")
    other.click("[data-bet=sse] button")
    expect(wall.locator("#bet-state")).to_contain_text("2")
    assert [Axe().run(page).violations_count for page in (teacher, phone, wall)] == [0, 0, 0]
    expect(wall.locator("[data-bet=longpoll] .votes")).to_be_hidden()
    teacher.click("[data-action=bet] [value=count]")
    expect(wall.locator("#bet-state")).to_contain_text("voting is over")
    for reader in (phone, other):
        expect(reader.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    post(lab_here.address)
    expect(wall.locator("[data-bet=longpoll] .votes")).to_have_text("votes: 1")
    expect(wall.locator("[data-bet=sse] .truth")).to_have_text(re.compile(r"^\d+ B$"))
    expect(phone.locator("#bet-state")).to_contain_text("right")
    assert [Axe().run(page).violations_count for page in (teacher, phone, wall)] == [0, 0, 0]
    expect(other.locator("#bet-state")).to_contain_text("long polling")
    teacher.click("[data-action=bet] [value=close]")
    expect(phone.locator("#bet")).to_be_hidden()


def test_the_console_goes_on_after_a_vote_about_the_proxy(lab_here, open_page):
    """When a trial has answered the vote, the teacher can close it."""
    teacher = open_page(lab_here, "/teacher", teacher=True)
    lab_here.teacher_post("bet", do="open", about="proxy")
    trials = lab_here.lab.lesson.proxy_trials
    lab_here.loop.call_soon_threadsafe(trials.on_end)
    expect(teacher.locator("#bet")).to_have_attribute("data-state", "measured")
    unfold(teacher, "#guide")
    teacher.click("[data-action=bet] [value=close]")
    expect(teacher.locator("#bet")).to_be_hidden()


def test_reset_keeps_the_meters_adding_up(lab_here, open_page):
    """With open streams and polls the sums still agree, and nothing of before is left."""
    pages = [open_page(lab_here, f"/room?mode={mode}") for mode in MODES]
    with publishing(lab_here.address) as published:
        for page in pages:
            expect(page.locator("[data-id]").nth(3)).to_be_visible()
    for page in pages:
        expect(page.locator(f"[data-id='{published[-1]}']")).to_have_count(1)
    lab_here.teacher_post("reset")
    post(lab_here.address, "after the reset")
    for page in pages:
        expect(page.locator("[data-id]", has_text="after the reset")).to_have_count(1)
        page.close()
    meters = settled_meters(lab_here)
    assert is_settled(meters), meters
    assert all(both["receive"]["messages"] == 1 for both in meters["techniques"].values())


def settled_meters(school):
    """The meters, once every page is gone and the close frames of its sockets have been read."""
    patience = time.monotonic() + 20
    while not is_settled(meters := all_meters(school)) and time.monotonic() < patience:
        pass
    return meters


def all_meters(school):
    """What `/meters` says, the whole of it."""
    with urllib.request.urlopen(f"{school.address}/meters") as answer:
        return json.load(answer)


def is_settled(meters):
    """No client is connected, and the techniques and `other` together are the total."""
    gone = not any(both["open"] for both in meters["techniques"].values())
    return gone and all(credited(meters, way) == meters["total"][way] for way in ("bytes_in", "bytes_out"))


def credited(meters, way):
    """The bytes that are counted for a technique or for `other`."""
    parts = [both[side][way] for both in meters["techniques"].values() for side in ("receive", "send")]
    return sum(parts) + meters["other"][way]


def test_two_labs_on_one_host_keep_their_teachers_apart(lab_here, settled, open_page):
    """A browser keeps one jar for all ports: who opens a second lab stays the first's teacher."""
    page = open_page(lab_here, "/teacher", teacher=True)
    page.goto(f"{settled.address}/teacher?token={settled.lab.key.ticket()}")
    for lab in (lab_here, settled):
        assert page.goto(f"{lab.address}/teacher").status == 200
        expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
        assert page.request.post(f"{lab.address}/teacher/assign", data={"to": "rotation"}).ok


def test_new_users_get_the_technique_that_the_teacher_chose(lab_here, open_page):
    """All of one technique, as long as they do not choose another."""
    teacher = open_page(lab_here, "/teacher", teacher=True)
    with teacher.expect_response("**/teacher/assign"):
        teacher.select_option("[name=to]", "jsonp")
    page = open_page(lab_here, "/room")
    expect(page.locator("[aria-current=true]")).to_have_attribute("data-mode", "jsonp")


def test_the_export_describes_itself(lab_here, open_page):
    """JSON with its conditions, CSV with a line per technique and direction, simulated or not."""
    teacher = open_page(lab_here, "/teacher", teacher=True)
    unfold(teacher, "#settings")
    for ending in ("json", "csv"):
        with teacher.expect_download() as download:
            teacher.click(f"[href$='.{ending}']")
        text = download.value.path().read_text("utf-8")
        if ending == "json":
            assert json.loads(text)["simulated"] is False
        else:
            assert len(text.splitlines()) == 1 + 2 * len(MODES)


def test_the_lamp_shows_whether_the_computer_keeps_up(lab_here, open_page):
    """The console shows whether the computer keeps up, with the figures for it."""
    teacher = open_page(lab_here, "/teacher", teacher=True)
    expect(teacher.locator("[data-strain=lag]")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    expect(teacher.locator("#verdict")).to_contain_text("This computer")


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", "The memory of Redis is full."), ("zh-CN", "Redis 的内存已满。")]
)
def test_the_console_shows_what_is_wrong(lab_here, open_page, language, sentence):
    """A fault of the lab is shown on the console, in its language, for as long as it lasts."""
    teacher = open_page(lab_here, "/teacher", teacher=True, language=language)
    problems = teacher.locator("#problems")
    expect(problems).to_be_hidden()
    room = lab_here.lab.context.room
    usual, room.history.refusal = room.history.refusal, full
    expect(problems).to_contain_text(sentence)
    room.history.refusal = usual
    expect(problems).to_be_hidden()


# What is needed seldom ------------------------------------------------------------------------------

NEEDED = (
    "#guide-next",
    "#crew [name=each]",
    "#crew [value=start]",
    "[name=to]",
    "[data-action=reset] button",
    "#verdict",
)
SELDOM = (
    "#crew [name=hold]",
    "#crew [value=pace]",
    "[data-action=bet] button",
    "main [href$='.svg']",
    "[data-strain=lag]",
)


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_what_is_needed_seldom_is_one_key_away(lab_here, open_page, language, theme):
    """Folded at first; the keyboard opens each group; it stays open, and fits on a projector."""
    how = {"language": language, "color_scheme": theme, "viewport": PROJECTOR}
    teacher = open_page(lab_here, "/teacher", teacher=True, **how)
    expect(teacher.locator("#status")).to_have_attribute("data-status", "waiting")
    for part in NEEDED:
        expect(teacher.locator(part)).to_be_visible()
    for part in SELDOM:
        expect(teacher.locator(part).first).to_be_hidden()
    for group in teacher.locator("details.more > summary").all():
        group.focus()
        teacher.keyboard.press("Enter")
    for part in SELDOM:
        expect(teacher.locator(part).first).to_be_visible()
    lab_here.teacher_post("lesson", do="next")
    expect(teacher.locator("#guide [value=skip]")).to_be_visible()
    assert teacher.locator("details.more:not([open])").count() == 0  # an update folds nothing
    assert barriers(teacher) == []
    picture(teacher, f"teacher-unfolded-{language}", whole=True)
    teacher.keyboard.press("p")
    for sheet in sheets(teacher):
        picture(teacher, f"teacher-unfolded-{sheet}-{language}")
        assert (too_much(teacher), too_small(teacher)) == ([], []), sheet
    lab_here.teacher_post("lesson", do="end")


def test_a_wrong_number_in_a_folded_group_is_shown(lab_here, open_page):
    """Start with a number out of bounds: the group opens, the box has the focus, and nothing is started."""
    teacher = open_page(lab_here, "/teacher", teacher=True)
    unfold(teacher, "#crew")
    teacher.fill("#crew [name=hold]", "7000")
    teacher.click("#crew details.more > summary")
    expect(teacher.locator("#crew [name=hold]")).to_be_hidden()
    teacher.click("#crew [value=start]")
    expect(teacher.locator("#crew [name=hold]")).to_be_visible()
    expect(teacher.locator("#crew [name=hold]")).to_be_focused()
    assert not lab_here.lab.lesson.simulated.processes


async def full():
    """What a Redis without memory answers."""
    return "full"
