"""The classroom in a real browser: phones join, the teacher acts, every page is readable."""

import json
import re
import time
import urllib.request
from itertools import cycle

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lab.catalogue import MODES
from lab.server.lesson.lan import adapters
from tests.support.browsing import (
    PHONE,
    PROJECTOR,
    meters,
    picture,
    post,
    sheets,
    too_much,
    too_small,
)
from tests.support.lab_here import LabHere
from tests.support.room_user import User, publishing

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

PAGES = {"join": "/", "room": "/room?mode=longpoll", "teacher": "/teacher"}
LANGUAGES = ("en", "zh-CN")
each_page = pytest.mark.parametrize("name", PAGES)
each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture
def school():
    """A class of the test's own."""
    with LabHere() as school:
        yield school


@pytest.fixture(scope="module")
def settled():
    """A class in which everything has been used, for those who only look."""
    with LabHere() as school:
        for body in ("Hello everyone!", "看到这条消息时，看右下角的数字", "<b>&amp;</b>"):
            post(school.address, body)
        yield school


@pytest.fixture
def open_page(browser):
    """Open pages, each in a profile of its own; afterwards no page may have logged an error."""
    contexts, complaints = [], []

    def open_page(school, path, teacher=False, language="en", **options):
        contexts.append(context := browser.new_context(locale=language, **options))
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        if teacher:
            page.goto(f"{school.address}/teacher?token={school.lab.key.ticket()}")
        page.goto(school.address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def on_the_air(page):
    """Wait until the page has received the news."""
    page.wait_for_function("() => /[0-9]/.test(document.querySelector('#here, #count')?.textContent)")


# The way in ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not adapters(), reason="this machine is in no network")
def test_one_button_lets_phones_join(school, open_page):
    """The teacher presses it, the code and the address appear for everyone, and that address answers."""
    student = open_page(school, "/")
    expect(student.locator("#qr")).to_be_hidden()
    expect(student.locator("#open")).to_have_count(0)
    teacher = open_page(school, "/", teacher=True)
    teacher.click("#open button")
    for page in (teacher, student):
        expect(page.locator("#qr")).to_be_visible()
        expect(page.locator("#address")).to_have_text(re.compile(rf"^[\d.]+:{school.lab.port}$"))
        assert page.evaluate("async () => (await document.querySelector('#qr').decode(), true)")
    expect(teacher.locator("#tested")).to_contain_text("reaches itself")
    teacher.set_viewport_size(PROJECTOR)
    teacher.keyboard.press("p")
    picture(teacher, "join-open-projector-en")
    assert teacher.evaluate("document.documentElement.scrollHeight") <= PROJECTOR["height"]
    phone = open_page(school, "/")
    phone.goto(f"http://{teacher.inner_text('#address')}/room?mode=sse")
    expect(phone.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    expect(teacher.locator("#count")).to_have_text("1")
    expect(teacher.locator("[data-card=sse] [data-figure=here]")).to_have_text("1")


def test_a_card_shows_only_what_was_measured(school, open_page):
    """Before anything happened: not measured yet. Afterwards: the figures of the meters."""
    page = open_page(school, "/")
    cost = page.locator("[data-card=sse] [data-figure=bytes]")
    expect(cost).to_have_text("not measured yet")
    reader = open_page(school, "/room?mode=sse")
    expect(reader.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    for _ in range(3):
        post(school.address)
    expect(reader.locator("[data-id]")).to_have_count(3)
    expect(page.locator("[data-card=sse] [data-figure=p50]")).to_have_text(re.compile(r"^[\d.]+ ms$"))
    expect(page.locator("[data-card=longpoll] [data-figure=bytes]")).to_have_text("not measured yet")
    meter = meters(school.address)["sse"]["receive"]
    each = (meter["bytes_in"] + meter["bytes_out"]) / meter["messages"]
    shown = page.evaluate("async (n) => (await import('/static/i18n.js')).bytes(n)", each)
    expect(cost).to_have_text(shown)


# The room -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_footer_counts_what_this_browser_costs(school, open_page, mode):
    """Useful bytes are the messages' own length; all bytes are what the server's meters say."""
    page = open_page(school, f"/room?mode={mode}")
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    sizes = []
    for number in range(5):
        post(school.address, f"message {number}")
    expect(page.locator("[data-id]")).to_have_count(5)
    with urllib.request.urlopen(f"{school.address}/history") as answer:
        sizes = [
            len(json.dumps(m, ensure_ascii=False, separators=(",", ":")).encode())
            for m in json.load(answer)["messages"]
        ]
    expect(page.locator("[data-tally=useful]")).to_have_text(as_bytes(page, sum(sizes)))
    page.wait_for_function("() => /\\d/.test(document.querySelector('[data-tally=down]').textContent)")
    if mode != "shortpoll":  # which never stands still
        page.wait_for_timeout(2200)
        meter = meters(school.address)[mode]["receive"]
        expect(page.locator("[data-tally=down]")).to_have_text(as_bytes(page, meter["bytes_out"]))
        expect(page.locator("[data-tally=up]")).to_have_text(as_bytes(page, meter["bytes_in"]))


def as_bytes(page, count):
    """A count of bytes as the page says it."""
    return page.evaluate("async (n) => (await import('/static/i18n.js')).bytes(n)", count)


def test_hostile_names_stay_text(school, open_page):
    """Markup in a name is shown as it was typed wherever names are shown, and nothing of it runs."""
    name = "<img src=x onerror=hacked=1>"
    watching = [open_page(school, "/teacher", teacher=True), open_page(school, "/room?mode=sse")]
    expect(watching[1].locator("#here")).to_have_text("1 here")
    user = open_page(school, "/room?mode=sse")
    user.evaluate("name => sessionStorage.setItem('pushlab-name', name)", name)
    user.reload()
    expect(watching[0].locator("#guests")).to_contain_text(name)
    expect(watching[1].locator(".company")).to_contain_text(name)
    for page in watching:
        assert page.evaluate("document.images.length") == 0
        assert page.evaluate("typeof hacked") == "undefined"


def test_a_message_shows_how_long_it_took(school, open_page):
    """A message from before the page opened has no time; a new one has."""
    post(school.address, "old")
    page = open_page(school, "/room?mode=websocket")
    expect(page.locator("[data-id]")).to_have_count(1)
    page.wait_for_timeout(1000)
    post(school.address, "new")
    expect(page.locator("[data-id]", has_text="new").locator(".delivery")).to_have_text(
        re.compile(r"^(after|within) [\d.]+ ms$")
    )
    expect(page.locator("[data-id]", has_text="old").locator(".delivery")).to_have_text("")


def test_arrivals_and_departures_are_shown(school, open_page):
    """Arrivals and departures are lines in the room, for polling clients too; no user sees their own."""
    anna = open_page(school, "/room?mode=shortpoll")
    expect(anna.locator("#here")).to_have_text("1 here")
    ben = open_page(school, "/room?mode=shortpoll", language="zh-CN")
    expect(anna.locator(".company")).to_contain_text("游客2 joined")
    expect(ben.locator("#here")).to_have_text("2 人在线")
    ben.close()
    expect(anna.locator(".company")).to_contain_text("游客2 left")
    assert "Guest 1" not in anna.inner_text("#messages")


def test_the_pause_is_shown_in_seconds(school, browser):
    """When the connection is lost the page shows when it will try again."""
    context = browser.new_context()
    user = User(context, school.address, "shortpoll", clock=True)
    user.page.evaluate("Math.random = () => 0.99")
    user.page.route("**/shortpoll?*", lambda route: route.abort())
    for _ in range(4):
        user.page.clock.run_for(10_000)
    expect(user.status).to_have_text(re.compile(r"reconnecting in \d+ s"))
    context.close()


def test_a_hidden_page_is_left_out(school, open_page):
    """In the background a page is marked for the teacher, and its delivery times are not taken."""
    page = open_page(school, "/room?mode=sse")
    teacher = open_page(school, "/teacher", teacher=True)
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    page.evaluate(
        """() => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
            document.dispatchEvent(new Event('visibilitychange')); }"""
    )
    expect(teacher.locator("#guests")).to_contain_text("(in the background)")
    post(school.address)
    expect(page.locator("[data-id]")).to_have_count(1)
    receive = school.lab.context.meters.techniques["sse"].receive
    assert (receive.messages, receive.delivery.count) == (1, 0)


# The teacher --------------------------------------------------------------------------------------


def test_simulated_students_come_and_go(school, open_page):
    """Started, they listen by every technique that was ticked, and say what they are; stopped, they end."""
    teacher = open_page(school, "/teacher", teacher=True)
    page = open_page(school, "/")
    expect(page.locator("#simulated")).to_be_hidden()
    others = [mode for mode in MODES if mode != "shortpoll"]
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
    reader = open_page(school, "/room")
    expect(reader.locator("#messages .name").first).to_have_text("simulated · 模拟")
    teacher.click("#crew [value=stop]")
    expect(teacher.locator("#crew-state")).to_have_text("none")
    for mode in others:
        expect(teacher.locator(f"[data-meters={mode}] [data-figure=open]")).to_have_text(re.compile("^[01]$"))


def test_the_pace_reaches_the_browsers(school, browser):
    """Interval and hold go to the pages in the room; no poll is held longer than the lab itself allows."""
    context = browser.new_context()
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    asking = ("shortpoll", "longpoll", "jsonp")
    users = {mode: User(context, school.address, mode, clock=True) for mode in asking}
    school.teacher_post("crew", do="pace", interval=30, hold=59)
    for user in users.values():
        user.page.wait_for_function("async () => (await import('/static/pace.js')).pace.interval === 30")
    post(school.address)  # held requests are answered, and asked again
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


def test_an_empty_room_shows_no_number_of_users(school, open_page):
    """A new user is counted; until the lab has counted it, the page shows no number."""
    page = open_page(school, "/")
    page.add_init_script(
        """new MutationObserver(() => {
            const text = document.querySelector("#here")?.textContent;
            if (text) (window.said ??= new Set()).add(text);
        }).observe(document, { childList: true, subtree: true });"""
    )
    page.goto(f"{school.address}/room?mode=iframe")
    expect(page.locator("#here")).to_have_text("1 here")
    assert page.evaluate("[...said]") == ["1 here"]


def test_the_bet(school, open_page):
    """A phone votes and may change its mind; then the bars show the counts; then it is over."""
    teacher = open_page(school, "/teacher", teacher=True)
    phone = open_page(school, "/room?mode=sse")
    other = open_page(school, "/room?mode=longpoll")
    wall = open_page(school, "/")
    teacher.click("[data-door=bet] [value=open]")
    for mode in ("jsonp", "longpoll"):
        phone.click(f"[data-bet={mode}] button")
    other.click("[data-bet=sse] button")
    expect(wall.locator("#bet-state")).to_contain_text("2")
    assert [Axe().run(page).violations_count for page in (teacher, phone, wall)] == [0, 0, 0]
    expect(wall.locator("[data-bet=longpoll] .votes")).to_be_hidden()
    teacher.click("[data-door=bet] [value=count]")
    expect(wall.locator("#bet-state")).to_contain_text("voting is over")
    for reader in (phone, other):
        expect(reader.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    post(school.address)
    expect(wall.locator("[data-bet=longpoll] .votes")).to_have_text("votes: 1")
    expect(wall.locator("[data-bet=sse] .truth")).to_have_text(re.compile(r"^\d+ B$"))
    expect(phone.locator("#bet-state")).to_contain_text("right")
    assert [Axe().run(page).violations_count for page in (teacher, phone, wall)] == [0, 0, 0]
    expect(other.locator("#bet-state")).to_contain_text("long polling")
    teacher.click("[data-door=bet] [value=close]")
    expect(phone.locator("#bet")).to_be_hidden()


def test_reset_keeps_the_meters_adding_up(school, open_page):
    """With open streams and polls the sums still agree, and nothing of before is left."""
    pages = [open_page(school, f"/room?mode={mode}") for mode in MODES]
    with publishing(school.address) as published:
        for page in pages:
            expect(page.locator("[data-id]").nth(3)).to_be_visible()
    for page in pages:
        expect(page.locator(f"[data-id='{published[-1]}']")).to_have_count(1)
    school.teacher_post("reset")
    post(school.address, "after the reset")
    for page in pages:
        expect(page.locator("[data-id]", has_text="after the reset")).to_have_count(1)
        page.close()
    meters = settled_meters(school)
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


def test_two_labs_on_one_host_keep_their_teachers_apart(school, settled, open_page):
    """A browser keeps one jar for all ports: who opens a second lab stays the first's teacher."""
    page = open_page(school, "/teacher", teacher=True)
    page.goto(f"{settled.address}/teacher?token={settled.lab.key.ticket()}")
    for lab in (school, settled):
        assert page.goto(f"{lab.address}/teacher").status == 200
        expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
        assert page.request.post(f"{lab.address}/teacher/assign", data={"to": "rotation"}).ok


def test_new_users_get_the_technique_that_the_teacher_chose(school, open_page):
    """All of one technique, as long as they do not choose another."""
    teacher = open_page(school, "/teacher", teacher=True)
    with teacher.expect_response("**/teacher/assign"):
        teacher.select_option("[name=to]", "jsonp")
    page = open_page(school, "/room")
    expect(page.locator("[aria-current=true]")).to_have_attribute("data-mode", "jsonp")


def test_the_export_describes_itself(school, open_page):
    """JSON with its conditions, CSV with a line per technique and direction, simulated or not."""
    teacher = open_page(school, "/teacher", teacher=True)
    for ending in ("json", "csv"):
        with teacher.expect_download() as download:
            teacher.click(f"[href$='.{ending}']")
        text = download.value.path().read_text("utf-8")
        if ending == "json":
            assert json.loads(text)["simulated"] is False
        else:
            assert len(text.splitlines()) == 1 + 2 * len(MODES)


def test_the_lamp_shows_whether_the_computer_keeps_up(school, open_page):
    """The console shows whether the computer keeps up, with the figures for it."""
    teacher = open_page(school, "/teacher", teacher=True)
    expect(teacher.locator("[data-strain=lag]")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    expect(teacher.locator("#verdict")).to_contain_text("This computer")


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", "The memory of Redis is full."), ("zh-CN", "Redis 的内存已满。")]
)
def test_the_console_shows_what_is_wrong(school, open_page, language, sentence):
    """A fault of the lab is shown on the console, in its language, for as long as it lasts."""
    teacher = open_page(school, "/teacher", teacher=True, language=language)
    problems = teacher.locator("#problems")
    expect(problems).to_be_hidden()
    room = school.lab.context.room
    usual, room.history.refusal = room.history.refusal, full
    expect(problems).to_contain_text(sentence)
    room.history.refusal = usual
    expect(problems).to_be_hidden()


async def full():
    """What a Redis without memory answers."""
    return "full"


# Accessible ---------------------------------------------------------------------------------------


@each_page
@each_language
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(settled, open_page, name, language, theme):
    """axe finds no barrier for users with poor sight or without a mouse, in any theme or language."""
    page = open_page(settled, PAGES[name], teacher=True, language=language, color_scheme=theme)
    on_the_air(page)
    assert page.get_attribute("html", "data-theme") == theme
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    assert Axe().run(page).violations_count == 1, "axe must find a box without a name"
    page.reload()
    on_the_air(page)
    for key in ("", "?"):
        if key:
            page.keyboard.press(key)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


@each_page
def test_keys_do_what_the_help_lists(settled, open_page, name):
    """P is the projector, T the other theme, ? help; but in a box they are letters."""
    page = open_page(settled, PAGES[name], teacher=True)
    root = page.locator("html")
    page.keyboard.press("p")
    expect(root).to_have_attribute("data-view", "projector")
    assert "view=projector" in page.url
    page.keyboard.press("p")
    page.keyboard.press("t")
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    if name == "room":
        page.focus("[name=body]")
        page.keyboard.type("top?")
        expect(page.locator("[name=body]")).to_have_value("top?")


@pytest.mark.parametrize(
    ("path", "language"),
    list(zip([*PAGES.values(), "/compare", "/technique/shortpoll"], cycle(LANGUAGES), strict=False)),
)
def test_keys_of_one_letter_can_be_switched_off(settled, open_page, path, language):
    """By a switch in the help of every page, which lasts; then a letter does nothing, and on again does."""
    page = open_page(settled, path, teacher=True, language=language)
    root, switch = page.locator("html"), page.locator("#letters")
    for on in (False, True):
        page.click("#ask")
        switch.set_checked(on)
        page.keyboard.press("Escape")
        page.reload()
        expect(switch).to_be_checked(checked=on)
        before = root.get_attribute("data-theme")
        page.keyboard.press("t")
        page.keyboard.press("?")
        expect(page.locator("#help")).to_be_visible(visible=on)
        assert (root.get_attribute("data-theme") != before) is on


def test_the_language_changes_in_place(settled, open_page):
    """The switch keeps the page and what is in its address, and the choice lasts."""
    page = open_page(settled, "/room?mode=sse")
    page.click("[data-mode=jsonp]")
    page.wait_for_url("**mode=jsonp")
    page.click("[data-lang=zh-CN]")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("[aria-current=true]")).to_have_attribute("data-mode", "jsonp")
    page.goto(settled.address)
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_the_keyboard_alone_is_enough(settled, open_page):
    """Tab reaches everything that can be clicked, shows where one is, and is never trapped."""
    page = open_page(settled, "/room?mode=sse")
    on_the_air(page)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 120)"))
    wanted = page.locator("a, button, input").locator("visible=true")
    assert all(html[:120] in reached for html in wanted.evaluate_all("all => all.map((e) => e.outerHTML)"))


# Pictures -----------------------------------------------------------------------------------------


@each_page
@each_language
@pytest.mark.parametrize("screen", ["projector", "phone"])
def test_a_picture_of_every_page(settled, open_page, name, language, screen):
    """For a person to look at; nothing sticks out, on a projector nothing is small or must be scrolled."""
    size = {"projector": PROJECTOR, "phone": PHONE}[screen]
    page = open_page(settled, PAGES[name], teacher=name == "teacher", language=language, viewport=size)
    if screen == "projector":
        page.keyboard.press("p")
    on_the_air(page)
    for sheet in sheets(page) if screen == "projector" else [""]:
        picture(page, "-".join(filter(None, (name, sheet, screen, language))), whole=screen == "phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        if screen == "projector":
            assert too_much(page) == []
            assert too_small(page) == []


@each_language
def test_a_bet_fits_on_a_projector(school, open_page, language):
    """While it is open and while the bars grow, on every page that shows it."""
    pages = [
        open_page(
            school, f"{path}{'&' if '?' in path else '?'}view=projector", True, language, viewport=PROJECTOR
        )
        for path in PAGES.values()
    ]
    pages[-1].click("#sheets [value=bet]")
    for step, sign in (("open", "#bet[data-state=open]"), ("count", "#bet[data-state=counting]")):
        school.teacher_post("bet", do=step)
        for page, name in zip(pages, PAGES, strict=True):
            expect(page.locator(sign)).to_be_visible()
            picture(page, f"{name}-bet-{step}-projector-{language}")
            assert too_much(page) == []
