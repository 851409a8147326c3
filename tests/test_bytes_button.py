"""What a page sends is seen: in the chosen technique's own way on /compare, by a button in the room."""

import uuid

import pytest
from playwright.sync_api import expect

from lab.catalogue import DEFAULT, MODES
from tests.support.browsing import PHONE, PROJECTOR, barriers, post, visiting
from tests.support.kept_bytes import teacher_sees

pytestmark = pytest.mark.needs("chromium")
ROWS = {"websocket": "text", "jsonp": "GET /jsonp/send"}
"""The first row of a send, in English; of the others it is the POST."""


def say(page, text):
    """Write a message and send it; returns its line."""
    page.fill("form#say [name=body]", text)
    page.press("form#say [name=body]", "Enter")
    line = page.locator("#messages li", has_text=text)
    expect(line).to_have_count(1)
    return line


@pytest.fixture(scope="module")
def room(school, browser):
    """A page of the room, for the tests of every technique."""
    with visiting(browser) as visit:
        yield visit(school.address).open("/room")


@pytest.mark.parametrize("mode", MODES)
def test_an_own_message_has_its_bytes(school, room, mode):
    """One button, which opens the request and the answer by which this message was sent; others have none."""
    page = room
    page.click(f"[data-mode={mode}]")
    page.wait_for_url(f"**/room?mode={mode}")
    expect(page.locator("[data-status=waiting]")).to_be_visible()
    foreign = f"foreign {uuid.uuid4()}"
    post(school.address, foreign)
    line = say(page, f"own {uuid.uuid4()}")
    expect(page.locator("#messages li", has_text=foreign).locator("button")).to_have_count(0)
    line.get_by_role("button").click()
    rows = page.locator("#wire .units li")
    expect(rows.first).to_contain_text(ROWS.get(mode, f"POST /{mode}"))
    page.locator("#wire .units li.came").last.click()
    expect(page.locator("#wire .unit")).to_contain_text("own")
    expect(page.locator("#wire h2")).to_be_visible()
    assert barriers(page) == []
    page.keyboard.press("Escape")


def test_its_scripts_are_loaded_when_it_is_first_used(school, visit):
    """A page that only chats loads nothing that shows bytes."""
    page, loaded = visit(school.address).open("/room?mode=websocket"), []
    page.on("request", lambda request: loaded.append(request.url))
    line = say(page, f"own {uuid.uuid4()}")
    expect(line.get_by_role("button")).to_be_visible()
    assert not [url for url in loaded if "/static/anatomy/" in url]
    line.get_by_role("button").click()
    expect(page.locator("#wire .units li").first).to_be_visible()
    assert [url for url in loaded if "/static/anatomy/" in url]


@pytest.mark.parametrize(
    ("language", "name"), [("en", "The bytes of this message"), ("zh-CN", "这条消息的字节")]
)
@pytest.mark.parametrize("size", [PHONE, PROJECTOR], ids=["phone", "projector"])
def test_the_keyboard_is_enough(school, visit, language, name, size):
    """Tab and Enter open it, Escape closes it, and the focus is where it was; in both languages; on a phone
    the target is 44 px high, and nothing sticks out."""
    page = visit(school.address, language=language, size=size).open("/room?mode=sse")
    expect(page.locator("[data-status=waiting]")).to_be_visible()
    say(page, f"keyboard {uuid.uuid4()}")
    page.keyboard.press("Shift+Tab")
    button = page.get_by_role("button", name=name)
    expect(button.last).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#wire .units li")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.keyboard.press("Escape")
    expect(page.locator("#wire")).to_be_hidden()
    expect(button.last).to_be_focused()
    if size is PHONE:
        box = button.last.bounding_box()
        assert box["height"] >= 44 and box["width"] >= 44
    assert barriers(page) == []


def test_after_a_reconnection_the_next_message_has_its_bytes(school, visit):
    """The claims of a connection end with it: older messages say so, and the next one is claimed again."""
    page = visit(school.address).open("/room?mode=websocket")
    expect(page.locator("[data-status=waiting]")).to_be_visible()
    old = say(page, f"before {uuid.uuid4()}")
    school.cut()
    expect(page.locator("[data-status=retrying]")).to_be_visible()
    expect(page.locator("[data-status=waiting]")).to_be_visible()
    old.get_by_role("button").click()  # asked for now, or once the page is on /live again
    expect(page.locator("#wire [role=status]")).to_contain_text("does not know")
    page.keyboard.press("Escape")
    say(page, f"after {uuid.uuid4()}").get_by_role("button").click()
    expect(page.locator("#wire .units li").first).to_contain_text("text")


# /compare -----------------------------------------------------------------------------------------


@pytest.fixture
def sends(school, monkeypatch):
    """The techniques and mids of the sends that the lab stores."""
    found = []
    add = school.lab.context.sends.add
    monkeypatch.setattr(
        school.lab.context.sends, "add", lambda mid, mode: (found.append((mode, mid)), add(mid, mode))[1]
    )
    return found


@pytest.mark.parametrize("listening", [False, True], ids=["alone", "listening"])
def test_the_chosen_lane_sends_its_own_way(school, visit, sends, listening):
    """Nothing chosen: the default. A chosen lane: its technique, by a masked frame or a request."""
    page = visit(school.address, size=PROJECTOR).open("/compare?view=projector")
    if listening:
        page.click("#listen")
        expect(page.locator("#listen")).to_have_attribute("aria-pressed", "true")
    button = page.locator("#say [name=send]")
    expect(button).to_have_class(DEFAULT)
    for mode in (None, *MODES):
        if mode:
            page.click(f"[data-lane={mode}] .sign")
        before = len(sends)
        page.fill("#say [name=body]", f"by {mode}")
        button.click()
        expect(page.locator("#say [name=body]")).to_have_value("")
        assert [one for one, _ in sends[before:]] == [mode or DEFAULT]
        units = teacher_sees(school, sends[-1][1])["units"]
        masked = [f["name"] for f in units[0]["fields"]].count("masking-key") == 1
        assert masked is ((mode or DEFAULT) == "websocket")
