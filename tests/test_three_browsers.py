"""One contract in three browser engines: seven steps that a page of each technique goes through."""

import uuid
from contextlib import ExitStack

import pytest

from lab.catalogue import WORDS
from lab.server import serving
from tests.support.browsing import post
from tests.support.engines import ENGINES, ENTER
from tests.support.lab_here import LabHere
from tests.support.redis_server import free_port

SOON_MS = (200, 600)
"""When a lab that ends asks its pages to come back: these tests would otherwise wait up to five seconds."""
STATUS = "() => document.querySelector('[data-status]').dataset.status"
IDS = "() => [...document.querySelectorAll('#messages [data-id]')].map((line) => line.dataset.id)"
HAS = "(id) => document.querySelectorAll(`#messages [data-id='${id}']`).length === 1"
HOLDS = """(text) => [...document.querySelectorAll('#messages [data-id] .body')]
    .filter((body) => body.textContent === text).length === 1"""
FOCUS = "() => document.querySelector('form#say [name=body]').focus()"
EMPTY = "() => document.querySelector('form#say [name=body]').value === ''"
CLICK = "(selector) => document.querySelector(selector).click()"


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.needs(*ENGINES[name][1])) for name in ENGINES],
)
def engine(request):
    """One page in a browser of each engine, which all tests of the file share."""
    with ENGINES[request.param][0]() as page:
        yield page


@pytest.fixture(autouse=True)
def version(engine, record_property):
    """Write into the report which version was tested."""
    record_property("browser", engine.version)


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
        patch.setattr(serving, "RETRY_MS", SOON_MS)
        lab = Restartable()
        yield lab
        lab.stop()


def arrive(engine, address, word):
    """Open the room by a technique, and wait until it is connected."""
    engine.open(f"{address}/room?mode={word}")
    connected(engine)


def connected(engine):
    """Wait until the page receives."""
    engine.until(f"() => ({STATUS})() === 'waiting'")


def hears(engine, address):
    """A message from elsewhere arrives."""
    id_ = post(address, f"from elsewhere {uuid.uuid4()}")
    engine.until(HAS, id_)
    return id_


def sends(engine):
    """A message that is typed arrives once, and the box is empty again."""
    text = f"typed {uuid.uuid4()}"
    engine.run(FOCUS)
    engine.type(text + ENTER)
    engine.until(HOLDS, text)
    engine.until(EMPTY)


def switches(engine, word):
    """Another technique is chosen, and connects."""
    engine.run(CLICK, f"[data-mode={word}]")
    engine.until("(word) => location.search.includes(`mode=${word}`)", word)
    connected(engine)


@pytest.mark.parametrize("word", WORDS)
def test_the_seven_steps(engine, lab_here, word):
    """Arrive, history, hear, send, switch, a lab that restarts, hear again: each message once, in order."""
    address = lab_here.address
    history = [post(address, f"before {n}") for n in range(3)]
    arrive(engine, address, word)
    engine.until(HAS, history[-1])
    assert engine.run(IDS)[-3:] == history
    hears(engine, address)
    sends(engine)
    for other in (WORDS[WORDS.index(word) - 1], word):
        switches(engine, other)
        hears(engine, address)
    assert engine.run(IDS) == sorted(set(engine.run(IDS)), key=lambda id_: int(id_.split("-")[1]))
    assert engine.complaints() == []
    lab_here.stop()
    engine.until(f"() => ({STATUS})() === 'retrying'")
    lab_here.start()
    connected(engine)
    engine.until(HAS, hears(engine, address))
    sends(engine)
    engine.complaints()  # that the lab could not be reached was no fault of the page


TWO_FRAMES = """async (after) => {
    const { connect } = await import("/static/techniques/iframe.js");
    window.heard = { all: [], new: [] };
    for (const [name, cursor] of [["all", null], ["new", after]]) {
        const onEvents = (events) => heard[name].push(...events.map(({ id }) => id));
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
        engine.until("(name, last) => heard[name].at(-1) === last", name, new[-1])
        assert engine.run("(name) => heard[name]", name) == ids
    assert engine.run(IDS) == kept + new
    assert engine.complaints() == []
