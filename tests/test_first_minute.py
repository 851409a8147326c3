"""The first minute of an open classroom: a moving picture of simulated clients, apart from the class."""

import asyncio
import os
import re
import signal
import sys
import urllib.request
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from lab.catalogue import MODES
from tests.support.browsing import PHONE, PROJECTOR, barriers, meters, picture, post, too_small
from tests.support.lab_here import LabHere
from tests.support.processes import all_end, command_of, descendants
from tests.support.run_lab import Serving
from tests.support.waiting import soon, wait_until

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.timeout(300)]
CLIENTS = "lab.experiment.demonstration"
PATIENCE_S = 60
ACTIONS = {"crew": {"do": "stop"}, "reset": {}, "bet": {"do": "open"}, "lesson": {"do": "next"}}


@pytest.fixture(scope="module")
def school(redis_server):
    """A lab in which a demonstration can be started."""
    with LabHere(redis=redis_server.url) as school:
        yield school


@contextmanager
def running(school):
    """A demonstration that runs; at the end of the block it has ended, with its process."""
    demonstration = school.lab.lesson.demonstration
    in_loop(school, demonstration.start())
    try:
        yield demonstration
    finally:
        in_loop(school, demonstration.close())


def in_loop(school, work):
    """Await this in the lab's own loop."""
    return asyncio.run_coroutine_threadsafe(work, school.loop).result(PATIENCE_S)


def each(context, figure):
    """A figure of the receive meter of each technique."""
    return [getattr(one.receive, figure) for one in context.meters.techniques.values()]


async def bodies(room):
    """The bodies of the kept messages."""
    return b"".join(event.json for event in room.ask(None).events)


# Apart from the class -----------------------------------------------------------------------------


def test_no_figure_and_no_message_of_the_lab_contains_it(school, redis_server):
    """Every technique delivers in it; the lab's meters and its history stay empty.

    A message of a user crosses its lanes too, and at its end nothing of it is left in Redis.
    """
    with running(school) as demonstration:
        shown, own = demonstration.context, school.lab.context
        wait_until(lambda: all(each(shown, "messages")), "a message by each technique")
        assert school.lab.lesson.shown is shown and own.room.top.n == 0
        assert not any(one["receive"]["bytes_out"] for one in meters(school.address).values())
        post(school.address, "hello, lanes")
        wait_until(lambda: b"hello, lanes" in in_loop(school, bodies(shown.room)), "the message of a user")
        assert demonstration.context is shown and own.room.top.n == 1
        assert not any(each(own, "messages"))
    assert not redis_server.client.keys("pushlab:demo*")
    assert school.lab.lesson.shown is own


def test_the_first_listener_of_the_class_ends_it(school):
    """One poll of a client, by whatever program, and the pages show the lab, with that client alone."""
    with running(school) as demonstration:
        wait_until(lambda: all(each(demonstration.context, "requests")), "a request by each technique")
        with school.ask("/shortpoll", teacher=False):
            pass
        wait_until(lambda: not demonstration.context, "the end of the demonstration")
    receive = {mode: one["receive"]["requests"] for mode, one in meters(school.address).items()}
    assert receive == dict.fromkeys(MODES, 0) | {"shortpoll": 1}
    school.teacher_post("reset")


@pytest.mark.parametrize("action", ACTIONS)
def test_what_a_teacher_measures_ends_it(school, action):
    """Simulated students, a vote, a reset and the guided lesson begin without it, at zero."""
    with running(school) as demonstration:
        school.teacher_post(action, **ACTIONS[action])
        assert not demonstration.context
    assert not any(one["receive"]["requests"] for one in meters(school.address).values())
    school.teacher_post("lesson", do="end") if action == "lesson" else school.teacher_post("bet", do="close")


def test_without_it_the_lab_works_as_well(school, redis_server, monkeypatch):
    """When it cannot start, the pages show the lab, and nothing of it is left."""

    async def refused(*_, **__):
        raise OSError("no more processes")

    monkeypatch.setattr("lab.server.lesson.demonstration.module", refused)
    with running(school) as demonstration:
        assert not demonstration.context and school.lab.lesson.shown is school.lab.context
        assert not redis_server.client.keys("pushlab:demo*")


# As a command -------------------------------------------------------------------------------------


def begun(serving):
    """The address of a lab that was opened without any option for this, and the token of its teacher."""
    said = serving.read_until("Ctrl-C")
    address, token = re.search(r"Teacher +(\S+)/teacher\?token=(\S+)", said).groups()
    return said, address, token


def clients_of(process):
    """The processes of the demonstration below this lab."""
    return [pid for pid in descendants(process.pid) if CLIENTS in command_of(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_it(end):
    """However the lab ends, the simulated clients end with it."""
    with Serving("--port", "0", demo=True) as serving:
        said, *_ = begun(serving)
        assert "/compare" in said and "simulated until the class receives" in said
        clients = soon(lambda: clients_of(serving.process))
        assert len(clients) == 1
        os.kill(serving.process.pid, end)
        serving.process.wait(timeout=PATIENCE_S)
        all_end(clients)


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_an_option_switches_it_off():
    """With --no-demo no client is simulated, and the terminal shows none."""
    with Serving("--port", "0") as serving:
        said, address, _ = begun(serving)
        assert "simulated" not in said and not clients_of(serving.process)
        with urllib.request.urlopen(f"{address}/compare") as page:
            assert page.status == 200


# In the browser -----------------------------------------------------------------------------------


def seen_at_once(page, what):
    """It is on the screen without scrolling."""
    expect(page.locator(what)).to_be_visible()
    box = page.locator(what).bounding_box()
    assert box["y"] + box["height"] <= page.viewport_size["height"], what
    assert box["x"] + box["width"] <= page.viewport_size["width"], what


@pytest.fixture
def opened():
    """A classroom that was opened without any option: its address, and the token of its teacher."""
    with Serving("--port", "0", demo=True) as serving:
        yield begun(serving)[1:]


@pytest.mark.needs("chromium")
def test_a_teacher_who_has_read_nothing_reaches_the_second_step(opened, visit):
    """At 360 px: the picture moves, one click stops it, and the pages alone lead to step 2 of the lesson."""
    address, token = opened
    student = visit(address, language="zh-CN", theme="dark", size=PROJECTOR).open("/compare")
    teacher = visit(address, size=PHONE)
    page = teacher.open(f"/teacher?to=compare&token={token}")
    assert page.url == f"{address}/compare"
    for one in (page, student):
        expect(one.locator("[data-lane=websocket] [data-figure=bytes]")).to_contain_text(re.compile(r"\d"))
        expect(one.locator("#simulated")).to_be_visible()
        expect(one.locator("#demonstration")).to_be_visible()
        expect(one.locator("#hint")).to_be_hidden()
    expect(student.locator("#demonstration :is(button, a)")).to_have_count(0)
    student.keyboard.press("p")
    assert too_small(student) == []
    assert student.evaluate("document.documentElement.scrollHeight") <= PROJECTOR["height"]
    seen_at_once(page, "#demonstration button")
    assert barriers(page) == [] and barriers(student) == []
    picture(page, "first-minute-phone")
    picture(student, "first-minute-projector")
    page.click("#demonstration a")
    expect(page.locator("#guide-next")).to_be_visible()
    seen_at_once(page, "#demonstration button")
    seen_at_once(page, "#guide-next")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.click("#demonstration button")
    for one in (page, student):
        expect(one.locator("#demonstration [role=status]")).to_contain_text(re.compile("have ended|已停止"))
    expect(student.locator("#hint")).to_be_visible()
    expect(student.locator("#simulated")).to_be_hidden()
    for title in ("Arrive", "Silence"):
        expect(page.locator("#guide-next")).to_be_enabled()
        page.click("#guide-next")
        expect(page.locator("#guide-title")).to_have_text(title)
    expect(page.locator("#bet")).to_have_attribute("data-state", "open")
