"""Seven tabs of a browser: without help the seventh waits; with each cure it receives what the others do."""

import re
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from lab.proxy.nginx import Nginx
from lab.proxy.nginx_conf import Certificate
from lab.proxy.switches import Switches
from tests.support.browsing import NAME, PHONE, PROJECTOR, barriers, picture, post, too_much, too_small
from tests.support.certificates import certificate
from tests.support.lab_here import LabHere
from tests.support.wire import HOST

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]
TABS = 7
PROTOCOLS = "() => performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol)"


@pytest.fixture(scope="module")
def school():
    """A lab that has a second host name."""
    with LabHere(allow_hosts=[NAME]) as school:
        yield school


@pytest.fixture
def tabs(browser):
    """Open tabs in one profile; all are loaded before any of them opens a stream."""
    contexts = []

    def tabs(*addresses, **options):
        contexts.append(context := browser.new_context(locale="en", **options))
        pages = [context.new_page() for _ in addresses]
        for page, address in zip(pages, addresses, strict=True):
            page.goto(f"{address}/connections")
        return pages

    yield tabs
    for context in contexts:
        context.close()


def uses(pages, cure):
    """Press the same button in every tab."""
    for page in pages:
        page.click(f"[data-cure={cure}] button")


def role(page):
    """What the tab says about itself."""
    return page.locator("#tab")


@contextmanager
def counting(school):
    """So many event streams more are open in the lab at the end of the block."""
    before = school.lab.context.meters.techniques["sse"].open
    found = {}
    yield found
    found["streams"] = school.lab.context.meters.techniques["sse"].open - before


def test_without_help_the_seventh_waits_and_says_so(school, tabs):
    """Six tabs receive; the seventh is told that six streams are open, until one of them is closed.

    A tab at another name of the same lab, to which the page links, has six connections of its own.
    """
    *pages, other = tabs(*[school.address] * TABS, f"http://{NAME}:{school.lab.port}")
    assert pages[0].inner_text("#other-name") == f"localhost:{school.lab.port}"
    for page in pages[:-1]:
        uses([page], "plain")
        expect(role(page)).to_have_attribute("data-role", "own")
    uses(pages[-1:], "plain")
    expect(role(pages[-1])).to_contain_text("This tab waits: six streams are open in other tabs.")
    uses([other], "plain")
    expect(role(other)).to_have_attribute("data-role", "own")
    post(school.address)
    for page in [*pages[:-1], other]:
        expect(role(page)).to_contain_text("Messages: 1.")
    expect(role(pages[-1])).to_have_attribute("data-role", "waits")
    pages[0].close()
    expect(role(pages[-1])).to_contain_text("This tab receives")
    post(school.address)
    expect(role(pages[-1])).to_contain_text("Messages: 1.")


@pytest.mark.parametrize(
    ("cure", "streams", "roles"),
    [
        ("websocket", 0, ["own"] * TABS),
        ("leader", 1, ["follower"] * (TABS - 1) + ["leader"]),
        ("worker", 1, ["worker"] * TABS),
    ],
)
def test_with_a_cure_the_seventh_receives(school, tabs, cure, streams, roles):
    """All seven receive each message once, with so many event streams for all of them together."""
    pages = tabs(*[school.address] * TABS)
    with counting(school) as found:
        uses(pages, cure)
        for page in pages:
            expect(role(page)).to_have_attribute("data-role", re.compile("own|leader|follower|worker"))
        if cure == "leader":
            expect(leading(pages)).to_have_attribute("data-role", "leader")
    assert found["streams"] == streams
    for n in (1, 2):
        post(school.address)
        for page in pages:
            expect(role(page)).to_contain_text(f"Messages: {n}.")
    assert sorted(role(page).get_attribute("data-role") for page in pages) == sorted(roles)


def leading(pages):
    """The line of the tab that leads, once there is one."""
    for _ in range(200):
        if found := [page for page in pages if role(page).get_attribute("data-role") == "leader"]:
            return role(found[0])
        pages[0].wait_for_timeout(50)
    raise AssertionError("no tab leads")


def test_another_tab_takes_the_lease(school, tabs):
    """When the leader is closed another tab leads, and goes on where it was: nothing is lost or doubled."""
    pages = tabs(*[school.address] * 3)
    uses(pages, "leader")
    first = leading(pages).page
    post(school.address)
    for page in pages:
        expect(role(page)).to_contain_text("Messages: 1.")
    pages.remove(first)
    first.close()
    post(school.address)  # while no tab leads
    for page in pages:
        expect(role(page)).to_contain_text("Messages: 2.")
    leading(pages)
    post(school.address)
    for page in pages:
        expect(role(page)).to_contain_text("Messages: 3.")


@pytest.mark.needs("nginx")
def test_by_http2_all_tabs_share_one_connection(school, tabs, tmp_path):
    """Behind an nginx that speaks HTTP/2 over TLS seven event streams are open at the same time."""
    files = certificate(tmp_path, "nginx")
    shown = Certificate(files["certfile"], files["keyfile"])
    with Nginx(Switches(), [f"{HOST}:{school.lab.port}"], shown) as proxy:
        address = f"https://{HOST}:{proxy.port}"
        pages = tabs(*[address] * TABS, ignore_https_errors=True)
        uses(pages, "plain")
        for page in pages:
            expect(role(page)).to_have_attribute("data-role", "own")
            assert set(page.evaluate(PROTOCOLS)) == {"h2"}
        post(school.address)
        for page in pages:
            expect(role(page)).to_contain_text("Messages: 1.")


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_everyone_can_read_what_a_tab_says(school, open_page, language, theme):
    """axe finds no barrier, and it fits a phone and a projector."""
    page = open_page(school, "/connections", language=language, color_scheme=theme, viewport=PHONE)
    uses([page], "leader")
    expect(role(page)).to_have_attribute("data-role", "leader")
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(page, f"seven-tabs-{language}", whole=True)
    page.set_viewport_size(PROJECTOR)
    page.locator("h1").click()
    page.keyboard.press("p")
    page.click("#sheets [value=cures]")
    picture(page, f"seven-tabs-projector-{language}")
    assert (too_much(page), too_small(page)) == ([], [])
