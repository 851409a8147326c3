"""The room without a chosen technique behind nginx with each fault of the page `/proxy`."""

from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from lab.proxy.lessons import LESSONS
from lab.proxy.nginx import Nginx
from tests.support.browsing import post
from tests.support.waiting import wait_until
from tests.support.wire import HOST

pytestmark = [pytest.mark.needs("chromium", "nginx"), pytest.mark.timeout(240)]

HIDDEN = "host"
"""The fault with which the page itself is refused."""
FAULTS = {name: lesson.fault for name, lesson in LESSONS.items() if name != HIDDEN and lesson.fault.labs == 1}
CUT = ("timeout", "idle")
"""The faults that a silence shows."""
MESSAGES = 4
PATIENCE_MS = 90_000


def ids(page):
    """The cursors of the messages in the list, from top to bottom."""
    return page.locator("#messages [data-id]").evaluate_all("lines => lines.map(line => line.dataset.id)")


def test_every_message_arrives_once_under_each_fault(lab_here, browser):
    """Messages, a silence in which nginx cuts what is silent, and more messages: each once, in order."""
    with ExitStack() as stack:
        context = browser.new_context(locale="en")
        stack.callback(context.close)
        place = f"{HOST}:{lab_here.lab.port}"
        proxies = {
            name: stack.enter_context(Nginx(setup.switches, [place])) for name, setup in FAULTS.items()
        }
        pages = {name: context.new_page() for name in proxies}
        for name, page in pages.items():
            page.goto(f"{proxies[name].url}/room")
        published = [post(lab_here.address) for _ in range(MESSAGES)]
        for page in pages.values():
            expect(page.locator(f"[data-id='{published[-1]}']")).to_have_count(1, timeout=PATIENCE_MS)
        for name in CUT:
            wait_until(proxies[name].complaints, f"nginx cuts with the fault {name}")
        published += [post(lab_here.address) for _ in range(MESSAGES)]
        for name, page in pages.items():
            expect(page.locator(f"[data-id='{published[-1]}']")).to_have_count(1, timeout=PATIENCE_MS)
            seen = [number for number in ids(page) if number in published]
            assert seen == published, name
