"""The room in a real browser: users chat and switch techniques, and no page complains."""

import uuid
from contextlib import ExitStack, closing

import pytest
from playwright.sync_api import expect

from lab.catalogue import DEFAULT, MODES
from tests.support.browsing import NAME, meters
from tests.support.listeners import each_technique
from tests.support.room_user import User, publishing, serving

pytestmark = pytest.mark.needs("chromium")

HOSTILE_BODY = """</script><img src=x onerror="hacked=1"><script>hacked=1</script>&lt;'"\u2028 {{7*7}}"""
HOSTILE_NAME = "<img src=x onerror=hacked=1>"


# Chatting -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def users(address, browser):
    """Enter the shared lab; these users switch from one technique to the next, and leave after the file."""
    with ExitStack() as stack:
        yield lambda at: User(stack.enter_context(closing(browser.new_context())), at, DEFAULT)


@pytest.fixture(scope="module")
def pair(address, users):
    """Two users, the second under the host name."""
    return users(address), users(address.replace("127.0.0.1", NAME))


@pytest.fixture(scope="module")
def hostile(address, users):
    """A user whose name is markup."""
    user = users(address)
    user.page.fill("#name", HOSTILE_NAME)
    return user


@each_technique
def test_two_pages_chat_both_ways(pair, mode):
    """Two users see each message once, and the sender's box is empty again.

    One of them comes by plain http under a host name, as a phone does, where a browser trusts nothing.
    """
    assert [user.page.evaluate("isSecureContext") for user in pair] == [True, False]
    for user in pair:
        user.change_to(mode)
    for sender in pair:
        text = f"hello {uuid.uuid4()}"
        sender.say(text)
        for reader in pair:
            expect(reader.lines(text)).to_have_count(1)
        expect(sender.box).to_have_value("")
        assert sender.complaints == []


@each_technique
def test_hostile_text_stays_text(hostile, mode):
    """Markup in a message or in a name is shown as it was typed, and nothing of it runs, in no frame."""
    user = hostile
    user.change_to(mode)
    mark = str(uuid.uuid4())
    user.say(f"{HOSTILE_BODY} {mark}")
    line = user.lines(mark)
    expect(line.locator(".body")).to_have_text(f"{HOSTILE_BODY} {mark}")
    expect(line.locator(".name")).to_have_text(HOSTILE_NAME)
    for frame in user.page.frames:
        assert frame.evaluate("document.images.length") == 0
        assert frame.evaluate("typeof hacked") == "undefined"
    assert user.complaints == []


def test_the_name_survives_a_reload(address, enter):
    """A new user gets a generated name; once changed, it stays, and messages carry it."""
    user = enter(address, "websocket")
    assert user.page.input_value("#name").startswith("Guest ")
    user.page.fill("#name", "李华 Li Hua")
    user.page.press("#name", "Enter")
    user.page.reload()
    expect(user.page.locator("#name")).to_have_value("李华 Li Hua")
    text = f"it is me {uuid.uuid4()}"
    user.say(text)
    expect(user.lines(text)).to_contain_text("李华 Li Hua")


# Switching ----------------------------------------------------------------------------------------


def test_a_message_sent_before_the_technique_is_here_waits_for_it(address, browser):
    """Enter is pressed on a page whose technique is still loading: the message is sent when it is there."""
    with closing(browser.new_context()) as context:
        page, waiting, text = context.new_page(), [], f"early {uuid.uuid4()}"
        page.route("**/techniques/websocket.js", lambda route: waiting.append(route))
        page.goto(f"{address}/room?mode=websocket", wait_until="commit")
        expect(page.locator("form#say [name=send]")).to_be_enabled()
        page.fill("form#say [name=body]", text)
        page.press("form#say [name=body]", "Enter")
        expect(page.locator("form#say [name=send]")).to_be_disabled()
        waiting.pop().continue_()
        expect(page.locator("#messages [data-id]", has_text=text)).to_have_count(1)
        expect(page.locator("#reason")).to_have_text("")


def test_a_message_is_not_sent_before_the_page_can_send_it(address, browser):
    """Enter is pressed while the page's program is still loading: the page and its text stay."""
    with closing(browser.new_context()) as context:
        page, waiting = context.new_page(), []
        page.route("**/room.js", lambda route: waiting.append(route))
        page.goto(f"{address}/room?mode=websocket", wait_until="commit")
        page.fill("form#say [name=body]", "early")
        page.press("form#say [name=body]", "Enter")
        waiting.pop().continue_()
        expect(page.locator("[data-status]")).to_have_attribute("data-status", "waiting")
        expect(page.locator("form#say [name=body]")).to_have_value("early")


def test_switching_in_mid_stream_loses_and_doubles_nothing(enter):
    """Through all techniques and back while messages pour in: each is shown once, in order."""
    with serving() as address:
        user = enter(address, "shortpoll")
        with publishing(address) as published:
            for mode in MODES:  # not waiting for any of them to be ready
                user.switch(mode)
            for mode in reversed(MODES):  # each until it has brought some
                user.switch(mode)
                brought = user.lines().count()
                user.page.wait_for_url(f"{address}/room?mode={mode}")
                user.page.wait_for_function(
                    "most => document.querySelectorAll('#messages [data-id]').length > most", arg=brought + 5
                )
        expect(user.line(published[-1])).to_have_count(1)
        assert user.ids() == published
        assert user.complaints == []
        assert all(meter["receive"]["messages"] for meter in meters(address).values())


@each_technique
def test_a_message_sent_while_switching_is_sent_once(address, enter, mode):
    """Enter, and at once another technique: the message arrives once, and no page shows a failure."""
    user = enter(address, mode)
    text = f"going {uuid.uuid4()}"
    user.box.fill(text)
    other = MODES[MODES.index(mode) - 1]
    user.page.evaluate(
        """async (other) => {
            await import(`/static/techniques/${other}.js`); // so that the switch waits for nothing
            document.getElementById('say').requestSubmit();
            document.querySelector(`[data-mode=${other}]`).click();
        }""",
        other,
    )
    expect(user.lines(text)).to_have_count(1)
    expect(user.box).to_have_value("")
    expect(user.reason).to_have_text("")


def test_the_switch_shows_which_technique_is_in_use(address, enter):
    """After a switch the URL, the heading and the switch itself name the technique, and a reload keeps it."""
    user = enter(address, "shortpoll")
    user.switch("websocket")
    for _ in ("before", "after a reload"):
        current = user.page.locator("[data-mode][aria-current=true]")
        expect(current).to_have_attribute("data-mode", "websocket")
        expect(user.page.locator("#title")).to_contain_text("WebSocket")
        assert user.page.url == f"{address}/room?mode=websocket"
        user.page.reload()


# All pages ----------------------------------------------------------------------------------------


def test_no_page_complains(address, enter):
    """From the way in through every technique: no policy violated, nothing missing, no error."""
    user = enter(address, "shortpoll")
    user.page.goto(f"{address}/")
    assert user.page.locator(".card .button").count() == len(MODES)
    user.page.click(".card .button >> nth=0")
    for mode in MODES:
        user.switch(mode)
        user.page.wait_for_url(f"{address}/room?mode={mode}")
        expect(user.status).to_have_attribute("data-status", "waiting")
        text = f"{mode} {uuid.uuid4()}"
        user.say(text)
        expect(user.lines(text)).to_have_count(1)
    assert user.complaints == []


def test_the_console_shows_live_meters(lab_here, enter):
    """The teacher sees which Redis is in use, the users, what it costs, and what was not measured."""
    user = enter(lab_here.address, "sse")
    user.page.fill("#name", "Li Hua")
    user.page.press("#name", "Enter")
    teacher = enter(lab_here.address, "websocket")
    teacher.page.goto(f"{lab_here.address}/teacher?token={lab_here.lab.key.token}")
    expect(teacher.page.locator("main")).to_contain_text(lab_here.lab.context.backend)
    row = teacher.page.locator("[data-meters=sse]")
    expect(row.locator("[data-figure='receive.delivery_s.p50']")).to_have_text("not measured yet")
    user.say("hello")
    expect(user.lines("hello")).to_have_count(1)
    expect(row.locator("[data-figure='receive.messages']")).to_have_text("1")
    expect(row.locator("[data-figure='open']")).to_have_text("1")
    expect(teacher.page.locator("#users")).to_contain_text("Li Hua")
    assert teacher.complaints == []


@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_the_screen(lab_here, browser, width):
    """On a telephone and on a projector nothing sticks out sideways, and what is touched is 44 px high."""
    context = browser.new_context(viewport={"width": width, "height": 720})
    page = context.new_page()
    for path in ("/", "/room", f"/teacher?token={lab_here.lab.key.token}"):
        page.goto(lab_here.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for target in page.locator("a, button, input, select, summary").locator("visible=true").all():
            assert target.bounding_box()["height"] >= 44
    context.close()
