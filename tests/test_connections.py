"""The page of the six connections: what waits when event streams have used them up."""

import json

import pytest
from playwright.sync_api import expect

from tests.support.browsing import PHONE, PROJECTOR, barriers, meters, picture, too_much, too_small

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(120)]

SIX = 6
"""What browsers allow for one server over HTTP/1.1."""


@pytest.fixture
def page(school, open_page):
    """The page, ready."""
    page = open_page(school, "/connections")
    expect(page.locator("#streams button")).to_be_enabled()
    return page


def opens(page, count):
    """Open so many streams, and wait until all of them have ended."""
    page.fill("[name=count]", str(count))
    page.click("#streams button")
    expect(page.locator("#streams button")).to_be_disabled()
    expect(page.locator("#streams button")).to_be_enabled()
    return page.locator("[data-request]").evaluate_all(
        "rows => rows.map(({dataset}) => [dataset.request, dataset.result])"
    )


@pytest.mark.parametrize("count", [1, 5, 6, 7, 8])
def test_what_waits(school, page, count):
    """Six streams are served and the others wait; from six on the POST waits too; /live never does."""
    before = meters(school.address)
    rows = opens(page, count)
    waiting = max(0, count - SIX)
    streams = ["good"] * (count - waiting) + ["bad"] * waiting
    assert [result for kind, result in rows if kind == "stream"] == streams
    assert dict(rows[count:]) == {"post": "bad" if count >= SIX else "good", "live": "good"}
    sentence = page.inner_text("#verdict")
    assert ("had to wait" in sentence, "but the POST waits" in sentence) == (count > SIX, count == SIX)
    assert meters(school.address) == before


def test_the_probe_answers_a_post(school):
    """At once, and whatever was sent."""
    with school.ask("/doctor/stream", {"any": "thing"}, teacher=False) as answer:
        assert json.load(answer)["type"] == "probe"


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_everyone_can_read_it(school, open_page, language, theme):
    """axe finds no barrier; it fits a phone and a projector, before and after a run."""
    page = open_page(school, "/connections", language=language, color_scheme=theme, viewport=PHONE)
    expect(page.locator("#streams button")).to_be_enabled()
    opens(page, 8)
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(page, f"connections-phone-{language}", whole=True)
    page.set_viewport_size(PROJECTOR)
    page.locator("h1").click()
    page.keyboard.press("p")
    picture(page, f"connections-projector-{language}")
    assert (too_much(page), too_small(page)) == ([], [])


def test_it_is_linked(school, open_page):
    """From the page of the checks and from the help."""
    page = open_page(school, "/doctor")
    page.click("main a[href$='/connections']")
    page.wait_for_url("**/connections")
    assert page.locator("#help a[href$='/connections']").count() == 1
