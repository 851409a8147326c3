"""The room without a chosen technique: it begins at once, improves, falls back, and says what it found."""

import pytest
from playwright.sync_api import expect

from lab.catalogue import DEFAULT, POLLS, PREFERENCE, TECHNIQUES
from tests.support.browsing import meters, post
from tests.support.hostile import Hostile
from tests.support.room_user import publishing

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

TITLE = {mode: TECHNIQUES[mode].title for mode in PREFERENCE}
FOUND = {
    (): ("websocket", "WebSocket works here."),
    ("upgrade",): ("sse", "This network blocks WebSocket; messages arrive by server-sent events."),
    ("hold",): ("websocket", "WebSocket works here."),
    ("upgrade", "hold"): (
        "longpoll",
        "This network blocks WebSocket, holds back server-sent events, HTTP streaming (fetch); "
        "messages arrive by long polling.",
    ),
    ("upgrade", "hold head"): (
        "longpoll",
        "This network blocks WebSocket, holds back server-sent events, HTTP streaming (fetch); "
        "messages arrive by long polling.",
    ),
    ("cut",): (
        "longpoll",
        "This network cuts WebSocket, server-sent events, HTTP streaming (fetch) again and again; "
        "messages arrive by long polling.",
    ),
}
CURRENT = "[data-mode][aria-current=true]"
PATIENCE_MS = 40_000


@pytest.fixture
def room(lab_here, browser):
    """Open the room, without a technique, through a proxy with these faults."""
    contexts, proxies = [], []

    def room(*faults, path="/room"):
        proxies.append(proxy := Hostile(lab_here.lab.port, *faults).__enter__())
        contexts.append(context := browser.new_context(locale="en"))
        page = context.new_page()
        page.goto(proxy.address + path)
        return page, proxy

    yield room
    for context in contexts:
        context.close()
    for proxy in proxies:
        proxy.__exit__()


def ids(page):
    """The cursors of the messages in the list, from top to bottom."""
    return page.locator("#messages [data-id]").evaluate_all("lines => lines.map(line => line.dataset.id)")


def settles(page, mode, sentence):
    """Wait until this technique is in use and the page says so."""
    expect(page.locator("#choice")).to_have_text(sentence, timeout=PATIENCE_MS)
    expect(page.locator(CURRENT)).to_have_attribute("data-mode", mode)
    expect(page.locator("#status")).to_have_attribute("data-status", "waiting")


@pytest.mark.parametrize("faults", FOUND, ids=" and ".join)
def test_the_first_that_works_is_used(lab_here, room, faults):
    """Messages pour in while the page changes techniques: each once, in order; the sentence is true."""
    first = post(lab_here.address)
    page, _ = room(*faults)
    with publishing(lab_here.address, 0.1) as published:
        settles(page, *FOUND[faults])
        seen = len(published)
        page.wait_for_function(
            "most => document.querySelectorAll('#messages [data-id]').length > most", arg=seen + 2
        )
    expect(page.locator(f"#messages [data-id='{published[-1]}']")).to_have_count(1)
    assert ids(page) == [first, *published]
    assert "mode=" not in page.url


def publishes(lab_here, page, body):
    """A message from elsewhere arrives."""
    post(lab_here.address, body)
    expect(page.locator("#messages [data-id] .body", has_text=body)).to_have_count(1)


@pytest.mark.parametrize(
    ("before", "fault", "mode", "sentence"),
    [
        ((), "cut", "longpoll", "cuts WebSocket"),
        (("upgrade",), "cut", "longpoll", "cuts server-sent events"),
        (("upgrade", "hold"), "silent", "shortpoll", "cuts long polling"),
    ],
)  # fmt: skip
def test_a_technique_that_is_cut_again_and_again_is_left(lab_here, room, before, fault, mode, sentence):
    """The network becomes worse while the page is open: nothing is lost, and the page says why it changed."""
    page, proxy = room(*before)
    settles(page, *FOUND[before])
    publishes(lab_here, page, "before")
    proxy.faults.add(fault)
    proxy.cut()
    expect(page.locator(CURRENT)).to_have_attribute("data-mode", mode, timeout=PATIENCE_MS)
    expect(page.locator("#choice")).to_contain_text(sentence, timeout=PATIENCE_MS)
    publishes(lab_here, page, "after")
    assert len(ids(page)) == 2


def test_an_own_message_that_does_not_arrive_shows_a_held_stream(lab_here, room):
    """A proxy begins to hold back the open stream: the next own message is stored and not received."""
    page, proxy = room("upgrade")
    settles(page, *FOUND["upgrade",])
    proxy.faults.add("hold")
    page.fill("form#say [name=body]", "held back")
    page.press("form#say [name=body]", "Enter")
    expect(page.locator("#messages [data-id]", has_text="held back")).to_have_count(1, timeout=PATIENCE_MS)
    settles(page, *FOUND["upgrade", "hold"])


def test_a_lab_that_restarts_is_no_fault_of_the_network(lab_here, room):
    """All connections break once: the technique stays."""
    page, proxy = room()
    settles(page, *FOUND[()])
    proxy.cut()
    expect(page.locator("#status")).not_to_have_attribute("data-status", "waiting")
    settles(page, *FOUND[()])
    publishes(lab_here, page, "again")


def test_the_users_own_choice_is_left_alone(lab_here, room):
    """A technique in the link, or a click on one: it stays although it does not work, and nothing is said."""
    page, _ = room("upgrade", path="/room?mode=websocket")
    other, _ = room("upgrade")
    settles(other, *FOUND["upgrade",])
    other.click("[data-mode=websocket]")
    for one in (page, other):
        expect(one.locator("#status")).to_have_attribute("data-status", "retrying")
        expect(one.locator(CURRENT)).to_have_attribute("data-mode", "websocket")
        expect(one.locator("#choice")).to_be_empty()
        assert "mode=websocket" in one.url


def test_presence_and_meters_stay_true(lab_here, room):
    """Trials add no user and leave no connection; the user is shown by the technique in use."""
    page, _ = room("upgrade", "hold")
    settles(page, *FOUND["upgrade", "hold"])
    expect(page.locator("#here")).to_have_text("")  # /live is blocked too
    counted = {mode: both["open"] for mode, both in meters(lab_here.address).items()}
    assert {mode: n for mode, n in counted.items() if n} == {"longpoll": 1}
    users = lab_here.lab.context.presence.users.values()
    assert [(user.mode, user.open_requests) for user in users] == [("longpoll", 1)]


def test_an_assigned_technique_is_kept_where_it_works(lab_here, room):
    """The teacher's choice for all: each begins by it, and falls back where it is blocked."""
    lab_here.teacher_post("assign", to="websocket")
    page, _ = room()
    expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
    expect(page.locator(CURRENT)).to_have_attribute("data-mode", "websocket")
    blocked, _ = room("upgrade")
    settles(blocked, "longpoll", "This network blocks WebSocket; messages arrive by long polling.")


def test_the_page_and_the_catalogue_agree(lab_here):
    """The order is in one place; a page whose technique is chosen gets none."""
    with lab_here.look("/room") as answer:
        assert f'data-order="{" ".join(PREFERENCE)}"' in answer.read().decode()
    with lab_here.look("/room?mode=sse") as answer:
        assert 'data-order=""' in answer.read().decode()
    assert PREFERENCE[0] == DEFAULT and set(POLLS) < set(PREFERENCE)
