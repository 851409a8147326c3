"""The pages of several labs in Chromium: which lab serves the user, and who is in the room at all of them."""

import re
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from tests.support.opened_labs import Opened
from tests.support.redis_server import free_port
from tests.support.run_lab import Serving
from tests.support.wire import HOST

pytestmark = [pytest.mark.needs("nginx", "redis-server", "chromium"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def labs():
    """Two labs behind one address."""
    with Serving("--labs", "2", "--port", str(free_port()), "--limit", "rate=0") as serving:
        yield SimpleNamespace(address=f"http://{HOST}:{Opened(serving).port}")


def test_the_room_names_the_labs_that_serve_it(labs, open_page):
    """A stream has one lab, polls have both in turn; users and messages of both labs are in the room."""
    page, other = (open_page(labs, "/room?mode=sse") for _ in range(2))
    for one in (page, other):
        expect(one.locator("[data-status]")).to_have_attribute("data-status", "waiting")
        expect(one.locator("#lab")).to_have_text(re.compile("^lab [12] of 2$"))
        expect(one.locator("#lab")).to_have_attribute("title", re.compile("messages"))
        expect(one.locator("#here")).to_have_text("2 here", timeout=20_000)
    page.click("[data-mode=shortpoll]")
    expect(page.locator("#lab")).to_have_text("lab 1, 2 of 2", timeout=20_000)
    page.fill("form#say [name=body]", "across")
    page.press("form#say [name=body]", "Enter")
    expect(other.locator("#messages .body")).to_have_text("across")
    expect(other.locator("[data-tally=down]")).not_to_have_text(re.compile("^(–|0 B)$"), timeout=20_000)


def test_other_pages_name_the_lab_of_their_figures(labs, open_page):
    """`/compare` says from which lab its figures are, in the language of the user."""
    expect(open_page(labs, "/compare").locator("#lab")).to_have_text("lab 1 of 2")
    expect(open_page(labs, "/compare", language="zh-CN").locator("#lab")).to_have_text("实验室 1 / 2")


def test_a_lab_alone_has_no_badge(school, open_page):
    """With one lab there is nothing to name."""
    expect(open_page(school, "/room?mode=sse").locator("#lab")).to_have_count(0)
