"""One contract in three browser engines: seven steps that a page of each technique goes through."""

from contextlib import ExitStack

import pytest

from lab.catalogue import DEFAULT, MODES
from lab.server import lifecycle
from tests.support.browsing import meters, post
from tests.support.engines import until, webkit_console
from tests.support.lab_here import LabHere
from tests.support.redis_server import free_port
from tests.support.room_page import CLICK, HAS, IDS, STATUS, arrive, connected, receives, sends, switches

SOON_MS = (200, 600)
"""When a lab that ends asks its pages to come back: these tests would otherwise wait up to five seconds."""


class Restartable:
    """A lab that can be stopped and started again at the same address."""

    def __init__(self):
        self.port = free_port()
        self.start()

    def start(self):
        """Serve, with an empty history."""
        self._stack = ExitStack()
        self.here = self._stack.enter_context(LabHere(port=self.port))
        self.address = self.here.address

    def stop(self):
        """Say goodbye and end."""
        self._stack.close()


@pytest.fixture(scope="module")
def lab_here():
    """The lab of the whole file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifecycle, "RETRY_MS", SOON_MS)
        lab = Restartable()
        yield lab
        lab.stop()


@pytest.mark.parametrize("mode", MODES)
def test_the_seven_steps(engine, lab_here, mode):
    """Arrive, read, receive, send, switch, restart the lab, receive again: each message once, in order."""
    address = lab_here.address
    history = [post(address, f"before {n}") for n in range(3)]
    arrive(engine, address, mode)
    engine.until(HAS, history[-1])
    assert engine.run(IDS)[-3:] == history
    receives(engine, address)
    sends(engine)
    for other in (MODES[MODES.index(mode) - 1], mode):
        switches(engine, other)
        receives(engine, address)
    assert engine.run(IDS) == sorted(set(engine.run(IDS)), key=lambda id_: int(id_.split("-")[1]))
    assert engine.complaints() == []
    lab_here.stop()
    engine.until(f"() => ({STATUS})() === 'retrying'")
    lab_here.start()
    connected(engine)
    engine.until(HAS, receives(engine, address))
    sends(engine)
    engine.complaints()  # that the lab could not be reached was no fault of the page


TWO_FRAMES = """async (after) => {
    const { connect } = await import("/static/techniques/iframe.js");
    window.received = { all: [], new: [] };
    for (const [name, cursor] of [["all", null], ["new", after]]) {
        const onEvents = (events) => received[name].push(...events.map(({ id }) => id));
        connect({ after: cursor, onEvents, onStatus() {} });
    }
}"""


def test_two_forever_frames_in_one_page_receive_their_own_events(engine, lab_here):
    """Each connection gets the events behind its own cursor, in order, and none of the other's."""
    address = lab_here.address
    arrive(engine, address, "iframe")
    old = post(address, "old")
    engine.until(HAS, old)
    kept = engine.run(IDS)
    engine.run(TWO_FRAMES, old)
    new = [post(address, f"new {n}") for n in range(3)]
    for name, ids in (("all", kept + new), ("new", new)):
        engine.until("(name, last) => received[name].at(-1) === last", name, new[-1])
        assert engine.run("(name) => received[name]", name) == ids
    assert engine.run(IDS) == kept + new
    assert engine.complaints() == []


FULL_ROW = """() => {
    document.querySelector("details").open = true;
    const resting = document.querySelectorAll("[data-rests]").length;
    const empty = ({ cells }) => [...cells].filter(({ textContent }) => textContent === "–");
    const isFull = (row) => empty(row).length === resting;
    return [...document.querySelectorAll("#latencies tr")].some(isFull);
}"""
NARROW = "() => document.documentElement.scrollWidth <= innerWidth"
VISIBLE = "(selector) => document.querySelector(selector).getBoundingClientRect().bottom <= innerHeight"


def test_this_browser_listens_by_all_techniques_at_once(engine, lab_here):
    """On the compare page, one click: from then on a message arrives in every lane but those that rest."""
    engine.size(1280, 720)
    engine.open(f"{lab_here.address}/compare")
    engine.until(f"() => ({STATUS})() === 'waiting'")
    engine.run(CLICK, "#listen")
    engine.until("() => document.querySelector('#listen').ariaPressed === 'true'")
    until(lambda: post(lab_here.address) and engine.run(FULL_ROW), engine.seen)
    engine.run(CLICK, "#listen")
    assert engine.complaints() == []


def test_every_page_fits_a_phone(engine, lab_here):
    """At the width of a phone nothing sticks out sideways, and the box to write in is on the screen."""
    engine.size(360, 640)
    for path in ("/", "/compare", "/anatomy", "/exercises", "/doctor", "/connections"):
        engine.open(lab_here.address + path)
        assert engine.run(NARROW), path
    arrive(engine, lab_here.address, DEFAULT)
    for mode in MODES:
        switches(engine, mode)
        assert engine.run(NARROW) and engine.run(VISIBLE, "form#say"), mode
    assert engine.complaints() == []


@pytest.mark.needs("webkit", "xvfb")
def test_webkit_has_nothing_to_complain_of():
    """By each technique: WebKit's console stays empty until the page of the room is connected."""
    with LabHere() as lab, webkit_console(*(f"{lab.address}/room?mode={mode}" for mode in MODES)) as said:
        for mode in MODES:
            until(
                lambda mode=mode: meters(lab.address)[mode]["receive"]["requests"],
                lambda mode=mode: f"{mode} is connected; {said()}",
            )
        assert said() == []
