"""The classroom in a real browser: phones join, and users see each other and what they cost."""

import json
import re
import urllib.request

import pytest
from playwright.sync_api import expect

from lab.catalogue import MODES
from lab.server.lesson.lan import adapters
from tests.support.browsing import PROJECTOR, meters, picture, post
from tests.support.room_user import User

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]


# The way in ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not adapters(), reason="this machine is in no network")
def test_one_button_lets_phones_join(lab_here, open_page):
    """The teacher presses it, the code and the address appear for everyone, and that address answers."""
    student = open_page(lab_here, "/")
    expect(student.locator("#qr")).to_be_hidden()
    expect(student.locator("#open")).to_have_count(0)
    teacher = open_page(lab_here, "/", teacher=True)
    teacher.click("#open button")
    for page in (teacher, student):
        expect(page.locator("#qr")).to_be_visible()
        expect(page.locator("#address")).to_have_text(re.compile(rf"^[\d.]+:{lab_here.lab.port}$"))
        assert page.evaluate("async () => (await document.querySelector('#qr').decode(), true)")
    expect(teacher.locator("#tested")).to_contain_text("reaches itself")
    teacher.set_viewport_size(PROJECTOR)
    teacher.keyboard.press("p")
    picture(teacher, "join-open-projector-en")
    assert teacher.evaluate("document.documentElement.scrollHeight") <= PROJECTOR["height"]
    phone = open_page(lab_here, "/")
    phone.goto(f"http://{teacher.inner_text('#address')}/room?mode=sse")
    expect(phone.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    expect(teacher.locator("#count")).to_have_text("1")
    expect(teacher.locator("[data-card=sse] [data-figure=here]")).to_have_text("1")


def test_a_card_shows_only_what_was_measured(lab_here, open_page):
    """Before anything happened: no figure, no bar, and what to do. Afterwards: the meters, and a bar."""
    page = open_page(lab_here, "/")
    bars = page.locator("[data-card] .bar")
    expect(page.locator("#nothing")).to_be_visible()
    assert not any(bar.is_visible() for bar in bars.all())
    cost = page.locator("[data-card=sse] [data-figure=bytes]")
    expect(cost).to_have_text("not measured yet")
    reader = open_page(lab_here, "/room?mode=sse")
    expect(reader.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    for _ in range(3):
        post(lab_here.address)
    expect(reader.locator("[data-id]")).to_have_count(3)
    expect(page.locator("[data-card=sse] [data-figure=p50]")).to_have_text(re.compile(r"^[\d.]+ ms$"))
    expect(page.locator("[data-card=longpoll] [data-figure=bytes]")).to_have_text("not measured yet")
    expect(page.locator("#nothing")).to_be_hidden()
    expect(page.locator("[data-card=sse] .bar").nth(1)).to_have_attribute("style", "width: 100%;")
    expect(page.locator("[data-card=longpoll] .bar").nth(1)).to_be_hidden()
    meter = meters(lab_here.address)["sse"]["receive"]
    each = (meter["bytes_in"] + meter["bytes_out"]) / meter["messages"]
    shown = page.evaluate("async (n) => (await import('/static/i18n.js')).bytes(n)", each)
    expect(cost).to_have_text(shown)


# The room -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_footer_counts_what_this_browser_costs(lab_here, open_page, mode):
    """Useful bytes are the messages' own length; all bytes are what the server's meters say."""
    page = open_page(lab_here, f"/room?mode={mode}")
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    sizes = []
    for number in range(5):
        post(lab_here.address, f"message {number}")
    expect(page.locator("[data-id]")).to_have_count(5)
    with urllib.request.urlopen(f"{lab_here.address}/history") as answer:
        sizes = [
            len(json.dumps(m, ensure_ascii=False, separators=(",", ":")).encode())
            for m in json.load(answer)["messages"]
        ]
    expect(page.locator("[data-tally=useful]")).to_have_text(as_bytes(page, sum(sizes)))
    page.wait_for_function("() => /\\d/.test(document.querySelector('[data-tally=down]').textContent)")
    if mode != "shortpoll":  # which never stands still
        page.wait_for_timeout(2200)
        meter = meters(lab_here.address)[mode]["receive"]
        expect(page.locator("[data-tally=down]")).to_have_text(as_bytes(page, meter["bytes_out"]))
        expect(page.locator("[data-tally=up]")).to_have_text(as_bytes(page, meter["bytes_in"]))


def as_bytes(page, count):
    """A count of bytes as the page says it."""
    return page.evaluate("async (n) => (await import('/static/i18n.js')).bytes(n)", count)


def test_hostile_names_stay_text(lab_here, open_page):
    """Markup in a name is shown as it was typed wherever names are shown, and nothing of it runs."""
    name = "<img src=x onerror=hacked=1>"
    watching = [open_page(lab_here, "/teacher", teacher=True), open_page(lab_here, "/room?mode=sse")]
    expect(watching[1].locator("#here")).to_have_text("1 here")
    user = open_page(lab_here, "/room?mode=sse")
    user.evaluate("name => sessionStorage.setItem('pushlab-name', name)", name)
    user.reload()
    expect(watching[0].locator("#users")).to_contain_text(name)
    expect(watching[1].locator(".company")).to_contain_text(name)
    for page in watching:
        assert page.evaluate("document.images.length") == 0
        assert page.evaluate("typeof hacked") == "undefined"


def test_a_message_shows_how_long_it_took(lab_here, open_page):
    """A message from before the page opened has no time; a new one has."""
    post(lab_here.address, "old")
    page = open_page(lab_here, "/room?mode=websocket")
    expect(page.locator("[data-id]")).to_have_count(1)
    page.wait_for_timeout(1000)
    post(lab_here.address, "new")
    expect(page.locator("[data-id]", has_text="new").locator(".delivery")).to_have_text(
        re.compile(r"^(after|within) [\d.]+ ms$")
    )
    expect(page.locator("[data-id]", has_text="old").locator(".delivery")).to_have_text("")


def test_arrivals_and_departures_are_shown(lab_here, open_page):
    """Arrivals and departures are lines in the room, for polling clients too; no user sees their own."""
    anna = open_page(lab_here, "/room?mode=shortpoll")
    expect(anna.locator("#here")).to_have_text("1 here")
    ben = open_page(lab_here, "/room?mode=shortpoll", language="zh-CN")
    expect(anna.locator(".company")).to_contain_text("游客2 joined")
    expect(ben.locator("#here")).to_have_text("2 人在线")
    ben.close()
    expect(anna.locator(".company")).to_contain_text("游客2 left")
    assert "Guest 1" not in anna.inner_text("#messages")


def test_the_pause_is_shown_in_seconds(lab_here, browser):
    """When the connection is lost the page shows when it will try again."""
    context = browser.new_context()
    user = User(context, lab_here.address, "shortpoll", clock=True)
    user.page.evaluate("Math.random = () => 0.99")
    user.page.route("**/shortpoll?*", lambda route: route.abort())
    for _ in range(4):
        user.page.clock.run_for(10_000)
    expect(user.status).to_have_text(re.compile(r"reconnecting in \d+ s"))
    context.close()


def test_a_hidden_page_is_left_out(lab_here, open_page):
    """In the background a page is marked for the teacher, and its delivery times are not taken."""
    page = open_page(lab_here, "/room?mode=sse")
    teacher = open_page(lab_here, "/teacher", teacher=True)
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    page.evaluate(
        """() => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
            document.dispatchEvent(new Event('visibilitychange')); }"""
    )
    expect(teacher.locator("#users")).to_contain_text("(in the background)")
    post(lab_here.address)
    expect(page.locator("[data-id]")).to_have_count(1)
    receive = lab_here.lab.context.meters.techniques["sse"].receive
    assert (receive.messages, receive.delivery.count) == (1, 0)
