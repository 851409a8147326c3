"""Fixtures for tests in a browser: the browsers, and the users who open pages in them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from tests.support.engines import ENGINES, Page
from tests.support.lab_here import LabHere


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a file; each user of it has a profile of its own."""
    from tests.support.browsing import chromium

    with chromium() as browser:
        yield browser


EACH_ENGINE = [pytest.param(name, marks=pytest.mark.needs(*tools)) for name, (_, tools) in ENGINES.items()]


@pytest.fixture(scope="module")
def engines() -> Iterator[Callable[[str], Page]]:
    """Start a browser when it is first asked for; it ends with the file."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(ENGINES[name][0]()))


@pytest.fixture(params=EACH_ENGINE)
def engine(request, engines) -> Any:
    """One page in a browser of each engine, for all tests of a file; each begins with an empty page."""
    page = engines(request.param)
    page.open("about:blank")
    page.complaints()
    return page


@pytest.fixture(autouse=True)
def browser_version(request) -> None:
    """Write into the report in which version of a browser a test was made."""
    if "engine" in request.fixturenames:
        request.node.user_properties.append(("browser", request.getfixturevalue("engine").version))


@pytest.fixture
def visit(browser) -> Iterator[Callable[..., Any]]:
    """Open a browser for a user; at the end of the test no console has an error."""
    from tests.support.browsing import visiting

    with visiting(browser) as visit:
        yield visit


@pytest.fixture
def enter(browser) -> Iterator[Callable[..., Any]]:
    """Enter the room at an address by a technique; everyone leaves at the end of the test."""
    from tests.support.room_user import User

    contexts = []

    def enter(address, mode, **how):
        contexts.append(browser.new_context())
        return User(contexts[-1], address, mode, **how)

    yield enter
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a lab that the tests of a file share; what they say in it must be their own."""
    from tests.support.browsing import NAME
    from tests.support.room_user import serving

    with serving(allow_hosts=[NAME]) as address:
        yield address


@pytest.fixture
def open_page(browser) -> Iterator[Callable[..., Any]]:
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


@pytest.fixture(scope="module")
def settled() -> Iterator[LabHere]:
    """A class in which everything has been used, for those who only look."""
    from tests.support.browsing import post

    with LabHere() as school:
        for body in ("Hello everyone!", "看到这条消息时，看右下角的数字", "<b>&amp;</b>"):
            post(school.address, body)
        yield school
