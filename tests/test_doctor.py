"""The page that checks a network: through proxies that break one thing each it finds that thing."""

import re

import pytest
from playwright.sync_api import expect

from lab.catalogue import MODES, PREFERENCE, TECHNIQUES
from lab.server.pages.doctor import CHECKS, need
from tests.support.browsing import PHONE, PROJECTOR, barriers, meters, picture, too_much, too_small
from tests.support.hostile import Hostile
from tests.support.lab_here import LabHere

TITLES = {mode: TECHNIQUES[mode].title for mode in PREFERENCE}
OVER_MS = 30_000


def works(*modes):
    """The second half of a verdict."""
    return f"{', '.join(TITLES[mode] for mode in modes)} work."


TABLE = {
    (): ("This network lets every technique pass.", set()),
    ("upgrade",): (
        f"This network blocks WebSockets; {works('sse', 'fetch', 'longpoll', 'shortpoll')}",
        {"upgrade"},
    ),
    ("hold",): (
        f"This network buffers event streams; {works('websocket', 'longpoll', 'shortpoll')}",
        {"first", "apart", "lines"},
    ),
    ("hold head",): (
        f"This network buffers event streams; {works('websocket', 'longpoll', 'shortpoll')}",
        {"first", "apart", "lines"},
    ),
    ("hold lines",): (
        f"This network buffers other streams; {works('websocket', 'sse', 'longpoll', 'shortpoll')}",
        {"lines"},
    ),
    ("silent",): (
        "This network cuts connections that stay open; only short polling works.",
        {"silence"},
    ),
    ("cut",): (
        "This network cuts connections that stay open; only short polling works.",
        {"silence", "lines"},
    ),
    ("head",): (f"This network refuses large request heads; {works(*PREFERENCE)}", {"head"}),
    ("seventh",): (f"This network refuses a seventh connection; {works(*PREFERENCE)}", {"seventh"}),
    ("upgrade", "hold"): (
        f"This network blocks WebSockets, buffers event streams; {works('longpoll', 'shortpoll')}",
        {"upgrade", "first", "apart", "lines"},
    ),
}
ALWAYS = {"seventh"}
"""Over HTTP/1.1 a browser opens six connections, so the seventh waits in every network."""


@pytest.fixture(scope="module")
def lab():
    """A lab of this file's own, whose meters nothing else moves."""
    with LabHere() as lab:
        yield lab


@pytest.fixture(scope="module")
def found(lab, browser):
    """The page's verdict and results through every proxy, all at the same time, and the meters."""
    context, pages, proxies = browser.new_context(locale="en"), {}, []
    before = meters(lab.address)
    for faults in TABLE:
        proxies.append(proxy := Hostile(lab.lab.port, *faults).__enter__())
        pages[faults] = context.new_page()
        pages[faults].goto(proxy.address + "/doctor")
    results = {}
    for faults, page in pages.items():
        expect(page.locator("#again")).to_be_enabled(timeout=OVER_MS)
        rows = page.locator("[data-check]").evaluate_all(
            "rows => rows.map(({dataset, innerText}) => [dataset.check, dataset.result, innerText])"
        )
        results[faults] = page.inner_text("#verdict"), rows
    context.close()
    for proxy in proxies:
        proxy.__exit__()
    return results, before, meters(lab.address)


@pytest.mark.needs("chromium")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("faults", TABLE, ids=" and ".join)
def test_the_fault_of_a_network_is_found(found, faults):
    """The sentence names the fault and what works; the lines of that fault, and no others, are not ok."""
    sentence, rows = found[0][faults]
    assert sentence == TABLE[faults][0]
    assert [name for name, _, _ in rows] == list(CHECKS)
    bad = {name for name, result, _ in rows if result == "bad"}
    assert bad - ALWAYS == TABLE[faults][1] - ALWAYS, rows
    for _, result, text in rows:
        assert re.search("[0-9]" if result == "good" else r"[0-9]|refused|broken|nothing|–", text), text


@pytest.mark.needs("chromium")
def test_no_technique_counts_a_check(found):
    """All bytes of the checks are in `other`; the figures of the techniques are the same as before."""
    _, before, after = found
    assert after == before


def test_what_a_technique_needs_comes_from_its_file():
    """No list of names: the answer is in the handler of each technique."""
    assert [need(mode) for mode in PREFERENCE] == ["upgrade", "events", "lines", "silence", "requests"]
    assert all(need(mode) for mode in MODES)


# The page -----------------------------------------------------------------------------------------


@pytest.mark.needs("chromium")
@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_everyone_can_read_it(lab, open_page, language, theme):
    """axe finds no barrier; it fits a phone and a projector."""
    page = open_page(lab, "/doctor", language=language, color_scheme=theme, viewport=PHONE)
    expect(page.locator("[data-check=head][data-result=good]")).to_be_visible()
    expect(page.locator("[data-check=lines][data-result=good]")).to_be_visible()
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(page, f"doctor-phone-{language}", whole=True)
    page.set_viewport_size(PROJECTOR)
    page.keyboard.press("p")
    assert (too_much(page), too_small(page)) == ([], [])
    picture(page, f"doctor-projector-{language}")


@pytest.mark.needs("chromium")
def test_it_is_linked(lab, open_page):
    """From the first page and from the help of each page."""
    page = open_page(lab, "/")
    page.click("main a[href$='/doctor']")
    page.wait_for_url("**/doctor")
    assert page.locator("#help a[href$='/doctor']").count() == 1


@pytest.mark.needs("chromium")
def test_the_console_counts_networks(lab_here, open_page):
    """So many of so many networks have a fault; no name and no address is shown."""
    page = open_page(lab_here, "/teacher", teacher=True)
    expect(page.locator("#networks")).to_contain_text("No network has been checked yet.")
    for n in range(25):
        lab_here.lab.lesson.networks.report(f"192.0.2.{n}", ["buffers"] if n < 3 else [])
    expect(page.locator("#networks")).to_have_text("3 of 25 networks buffer event streams")
    assert "192.0.2" not in page.content()
