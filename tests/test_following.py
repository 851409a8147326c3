"""A list that shows what is new, in three browser engines: at its end, or where its reader has scrolled."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.catalogue import DEFAULT, MODES
from tests.support.browsing import post
from tests.support.engines import ENGINES
from tests.support.lab_here import LabHere
from tests.support.room_page import HAS, arrive, receives, sends, switches

KEPT = 100
PHONE, PROJECTOR = (360, 640), (1280, 720)
AT_END = """async () => {
    for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame);
    const box = document.querySelector(".log");
    const newest = box.querySelector("li:last-child")?.getBoundingClientRect();
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    return Boolean(newest) && below < 2 && newest.bottom < box.getBoundingClientRect().bottom + 1;
}"""
SCROLL = """async (by) => {
    const box = document.querySelector(".log");
    box.scrollTop += by;
    for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame);
}"""
TOP = """async () => {
    for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame);
    const top = document.querySelector(".log").getBoundingClientRect().top;
    const lines = [...document.querySelectorAll("#messages li")];
    const line = lines.find((one) => one.getBoundingClientRect().bottom > top);
    return [line.dataset.id ?? line.textContent, Math.round(line.getBoundingClientRect().top - top)];
}"""
LONG_TEXTS = {
    "three long texts": ["x " * 150] * 3,
    "twenty short ones": ["short"] * 20,
    "long words": ["w" * 500] * 3,
    "many lines": ["\n".join("lines") * 20] * 3,
}
WORDS_OF = {"chromium": MODES, "firefox": [DEFAULT, "iframe"], "webkit": [DEFAULT, "iframe"]}
EVERY_TECHNIQUE = [
    pytest.param(name, mode, marks=pytest.mark.needs(*tools))
    for name, (_, tools) in ENGINES.items()
    for mode in WORDS_OF[name]
]


@pytest.fixture(scope="module")
def address():
    """A lab with more history than fits on any screen."""
    with LabHere() as lab:
        for n in range(KEPT):
            post(lab.address, f"history {n}")
        yield lab.address


@pytest.fixture(autouse=True)
def usual_size(engine):
    """Each test begins on a projector."""
    engine.size(*PROJECTOR)


def at_once(engine, address, texts):
    """Several users send in the same moment; every message arrives."""
    with ThreadPoolExecutor(len(texts)) as pool:
        ids = list(pool.map(lambda text: post(address, text), texts))
    for id_ in ids:
        engine.until(HAS, id_)


@pytest.mark.parametrize(("engine", "mode"), EVERY_TECHNIQUE, indirect=["engine"])
def test_the_newest_message_is_visible(engine, address, mode):
    """On arrival with a long history, after bursts of any text, after own messages and after a switch."""
    arrive(engine, address, mode)
    engine.until(AT_END)
    for texts in LONG_TEXTS.values():
        at_once(engine, address, texts)
        engine.until(AT_END)
    sends(engine)
    switches(engine, MODES[MODES.index(mode) - 1])
    receives(engine, address)
    engine.until(AT_END)


@pytest.mark.parametrize("view", ["", "projector"])
@pytest.mark.parametrize("zoom", [1, 1.33])
def test_it_stays_visible_at_every_size(engine, address, view, zoom):
    """On a phone, on a projector, zoomed to fractions of pixels, and while one becomes the other."""
    arrive(engine, address, DEFAULT, view=view)
    engine.run("(zoom) => { document.documentElement.style.zoom = zoom }", zoom)
    for size in (PHONE, PROJECTOR, (640, 360), PHONE):
        engine.size(*size)
        engine.until(AT_END)
        at_once(engine, address, ["x " * 150] * 2)
        engine.until(AT_END)


def test_a_keyboard_on_the_screen_hides_no_message(engine, address):
    """The room is as high as what is visible of the page, and shows the newest message and the box below."""
    arrive(engine, address, DEFAULT)
    engine.run(
        """() => {
            Object.defineProperty(visualViewport, "height", { configurable: true, value: 400 });
            visualViewport.dispatchEvent(new Event("resize"));
        }"""
    )
    engine.until(AT_END)
    assert engine.run("() => document.querySelector('form#say').getBoundingClientRect().bottom <= 400")


@pytest.mark.parametrize("up", [40, 120, 1000])
def test_it_stays_where_the_reader_has_scrolled(engine, address, up):
    """A line or a page above the end: bursts and other sizes leave the line that is read where it is."""
    arrive(engine, address, DEFAULT)
    engine.until(AT_END)
    engine.run(SCROLL, -up)
    read = engine.run(TOP)
    for texts in LONG_TEXTS.values():
        at_once(engine, address, texts)
        assert engine.run(TOP) == read
    engine.size(*PHONE)
    engine.until(f"async (id) => (await ({TOP})())[0] === id", read[0])
    receives(engine, address)
    assert engine.run(TOP)[0] == read[0]


def test_it_follows_again_at_the_end(engine, address):
    """A reader who scrolls back to the end, or writes something, sees what is new again."""
    arrive(engine, address, DEFAULT)
    engine.until(AT_END)
    for back in (lambda: engine.run(SCROLL, 100_000), lambda: sends(engine)):
        engine.run(SCROLL, -500)
        receives(engine, address)
        assert not engine.run(AT_END)
        back()
        at_once(engine, address, ["x " * 150] * 3)
        engine.until(AT_END)


ALONE = """async (lines) => {
    const { messageList } = await import("/static/messages.js");
    const [box, list] = ["div", "ol"].map((name) => document.createElement(name));
    Object.assign(box, { className: "log" }).append(list);
    Object.assign(box.style, { flex: "none", height: "200px" });
    document.body.append(box);
    const { show } = messageList(list);
    let n = 0;
    const message = (epoch = 1) => {
        const text = `${++n}`;
        return { type: "message", id: `${epoch}-${n}`, mid: text, username: "a", body: text, time: 0 };
    };
    const more = (count) => show(Array.from({ length: count }, () => message()));
    const below = () => box.scrollHeight - box.scrollTop - box.clientHeight;
    const frame = () => new Promise((end) => requestAnimationFrame(() => setTimeout(end)));
    return await (LINES)();
}"""


def alone(engine, address, lines):
    """Run some lines with a list of their own: `box`, `list`, `show`, `message`, `more`, `below`, `frame`."""
    arrive(engine, address, DEFAULT)
    return engine.run(ALONE.replace("LINES", lines))


def test_notes_are_followed_too(engine, address):
    """A gap, a reset and messages that move into the new history: the end stays visible."""
    assert alone(
        engine,
        address,
        """async () => {
            const ends = [];
            const notes = [{ type: "gap", missed: 3 }, { type: "reset", id: "2-0" }];
            for (const event of [...notes, message(2)]) {
                more(20), show([event]), await frame(), await frame();
                ends.push(below() < 2);
            }
            return ends;
        }""",
    ) == [True, True, True]


def test_old_lines_go_and_the_reader_stays(engine, address):
    """When the oldest lines are dropped, the line that is read stays where it is, as long as it is there."""
    assert alone(
        engine,
        address,
        """async () => {
            more(1000), await frame(), box.scrollTop = 3000, await frame(), await frame();
            const read = [...list.children].find((line) => line.offsetTop > box.scrollTop);
            const top = (element) => element.getBoundingClientRect().top;
            const where = () => Math.round(top(read) - top(box));
            const before = where();
            for (let n = 0; n < 5; n++) more(5), await frame();
            const after = where();
            more(1000), await frame();
            return [before === after, list.children.length, read.isConnected, box.scrollTop];
        }""",
    ) == [True, 1000, False, 0]
