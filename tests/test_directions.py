"""Names and texts written in any direction: each stands in its place, and turns nothing around it."""

import http.client
import urllib.parse
import uuid
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import expect

from lab.server.logs import harmless
from lab.server.pages import i18n
from tests.support.browsing import PHONE, post

LANGUAGES = ["en", "zh-CN"]
NAMES = {
    "override": "\u202eabc",
    "override to the right": "\u202dabc",
    "embedding": "\u202babc\u202c\u202c",
    "isolate that stays open": "\u2067abc",
    "two that stay open": "\u2066\u2068abc",
    "an end too many": "\u2069\u202eabc",
    "three ends": "\u2069\u2069\u2069\u202eabc",
    "open and closed twice": "\u2067ab\u2069\u2069\u202ec",
    "end of paragraph": "a\u2029\u202ebc",
    "newline": "a\n\u202ebc",
    "next line": "a\x85\u202ebc",
    "tab": "a\tb",
    "mark": "\u200fabc!",
    "Hebrew": "אבג",
    "Hebrew and digits": "אבג 12",
    "digits and Arabic": "12 سلام (3)",
    "Arabic digits": "٣٤",
    "Latin, then Hebrew": "Dan אבג!",
    "zero width": "a\u200b\u200d\ufeffb",
    "combining mark first": "\u0301abc",
    "pile": "e" + "\u0301" * 30,
    "emoji": "👩‍👩‍👧‍👦 👨🏽",
    "long word": "w" * 32,
}
PLACES = """(element) => {
    const found = [], walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode()); ) {
        for (let i = 0; i < node.length; i++) {
            const range = document.createRange();
            range.setStart(node, i);
            range.setEnd(node, i + 1);
            const { left, right, top, width } = range.getBoundingClientRect();
            found.push({ char: node.data[i], left, right, top, width });
        }
    }
    return found;
}"""


@contextmanager
def present(school, *names):
    """Users who are in the room under these names, for as long as the block runs."""
    with ExitStack() as stack:
        for name in names:
            line = http.client.HTTPConnection("127.0.0.1", school.lab.port, timeout=20)
            stack.callback(line.close)
            query = urllib.parse.urlencode({"client": uuid.uuid4(), "username": name, "after": "latest"})
            line.request("GET", f"/sse?{query}")
            line.getresponse()
        yield


def assert_in_order(element, before="", after=""):
    """What stands before and after a name stands there on the screen too, in one line and left to right."""
    places = [place for place in element.evaluate(PLACES) if place["width"]]
    text = "".join(place["char"] for place in places)
    begin, end = len(before), text.rindex(after)
    assert text.startswith(before)
    steps = [[place] for place in places[:begin]] + [places[begin:end]] + [[place] for place in places[end:]]
    reach = 0.0
    for step in filter(None, steps):
        assert min(place["left"] for place in step) >= reach - 0.5, text
        reach = max(place["right"] for place in step)


# What is done to a text ---------------------------------------------------------------------------


@given(st.text(st.sampled_from("ab \u2066\u2067\u2068\u2069\u202a\u202c\u202e\n\u2029א"), max_size=12))
def test_an_isolated_text_is_closed(text):
    """Whatever it holds, exactly its own last character ends the isolate that its first one began."""
    isolated = i18n.isolated(text + "א")
    depths, depth = [], 0
    for char in isolated:
        depth += (char in i18n.INITIATORS) - (char == i18n.PDI)
        depths.append(depth)
    assert depths[-1] == 0
    assert min(depths[:-1]) >= 1
    assert not i18n.BREAKS.search(isolated)


@pytest.mark.parametrize(
    "plain", ["", "anna", "Zoë 3", "短轮询", "永久 iframe（3）", "1,234.5 kB", "50 %", "±1 ms", "–"]
)
def test_what_is_plain_stays_as_it_is(plain):
    """Numbers and names in the letters of the pages themselves need nothing."""
    assert i18n.isolated(plain) == plain


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_of_the_server_isolates_its_values(language):
    """In one place, for every sentence that has a value in it."""
    said = i18n.text(language, "teacher.hidden", name="\u2069\u202eabc")
    assert "\u2068\u202eabc\u2069" in said


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_in_the_log_is_harmless(name):
    """In a log it neither ends a line nor turns it around."""
    line = harmless(f"<{name}> was here")
    assert not set(line) & set(
        "\n\r\t\x85\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


# On the pages -------------------------------------------------------------------------------------


@pytest.mark.needs("chromium")
def test_scripts_and_server_isolate_alike(school, visit):
    """The same rule is written twice; both give the same text."""
    page = visit(school.address).open("/room")
    ask = "async (all) => { const { isolated } = await import('/static/i18n.js'); return all.map(isolated); }"
    given_ = [*NAMES.values(), "plain", "短轮询", "\u2066\u2069\u2069", "\U00010800", "x\u202f%"]
    assert page.evaluate(ask, given_) == [i18n.isolated(text) for text in given_]


COMPANY = """async ([came, left]) => {
    const { messageList } = await import("/static/messages.js");
    const list = document.querySelector("main").appendChild(document.createElement("ol"));
    list.id = "made";
    messageList(list).company({ came, left });
}"""


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_arrivals_are_named_in_order(school, visit, language):
    """The line that says who joined and who left: each name in its place, first, middle and last."""
    page = visit(school.address, language=language).open("/room?mode=sse")
    came, left = (i18n.text(language, f"room.{key}", names="") for key in ("came", "left"))
    between = i18n.text(language, "lab.and")
    for name in NAMES.values():
        for who, before, after in (
            (([name, "Guest 14"], ["Guest 9"]), "", f"{between}Guest 14{came} · Guest 9{left}"),
            ((["Guest 14", name], []), f"Guest 14{between}", came),
            ((["Guest 14"], [name]), f"Guest 14{came} · ", left),
        ):
            page.evaluate("document.getElementById('made')?.remove()")
            page.evaluate(COMPANY, who)
            assert_in_order(page.locator("#made .company"), before, after)


@pytest.mark.needs("chromium")
def test_a_name_is_isolated_in_the_room_itself(school, visit):
    """The same on a page that gets it from the lab."""
    page = visit(school.address).open("/room?mode=sse")
    expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
    with present(school, "\u2069\u202eabc"):
        line = page.locator(".company", has_text="abc")
        expect(line).to_contain_text(" joined")
        assert_in_order(line, "", " joined")


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_console_lists_names_in_order(school, visit, language):
    """Users are listed, also those with the page in the background; on a phone nothing sticks out."""
    teacher = visit(school.address, language=language, size=PHONE)
    page = teacher.open(f"/teacher?token={school.lab.key.ticket()}")
    before, after = i18n.text(language, "teacher.hidden", name="|").split("|")
    hide = """async ([line, name]) => {
        const { _ } = await import("/static/i18n.js");
        line.textContent = _("teacher.hidden", { name });
    }"""
    with present(school, *NAMES.values()):
        expect(page.locator("#users li")).to_have_count(len(NAMES))
        page.context.set_offline(True)  # what arrives every second would change the list
        for line in page.locator("#users bdi").all():
            assert line.evaluate("(e) => getComputedStyle(e).unicodeBidi") == "isolate"
            assert line.text_content() in NAMES.values()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size({"width": 1280, "height": 720})
    line = page.locator("#users bdi").first.element_handle()
    for name in NAMES.values():
        page.evaluate(hide, [line, name])
        assert_in_order(line, before, after)


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_turns_nothing_but_itself(school, visit, language):
    """Name, time and text stand where they stand in every message; a text in Arabic begins at the right."""
    page = visit(school.address, language=language, size=PHONE).open("/room?mode=sse")
    expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
    for name in NAMES.values():
        id_ = post(school.address, f"{name} said {name}", name)
        message = page.locator(f"[data-id='{id_}']")
        expect(message.locator(".name")).to_have_text(name, use_inner_text=False)
        time, body = message.locator("time"), message.locator(".body")
        assert_in_order(time)
        assert time.bounding_box()["x"] >= message.locator(".name bdi").bounding_box()["x"]
        assert body.evaluate("(e) => getComputedStyle(e).overflowY") == "clip"
        assert body.get_attribute("dir") == "auto"
    arabic = page.locator(".body", has_text="سلام").last
    assert arabic.evaluate("(e) => getComputedStyle(e).direction") == "rtl"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.needs("chromium")
def test_the_bytes_of_a_request_stand_in_their_order(school, visit):
    """Whatever text is among them; what would turn them around is shown by its number."""
    page = visit(school.address).open("/compare")
    show = """async ([text, value]) => {
        const { ExchangeView } = await import("/static/anatomy/exchange.js");
        const [name, note, part] = ["message", "message", "payload"];
        const field = { start: 0, end: text.length, part, name, value, note };
        const unit = { kind: "text", came: false, at: 0, fields: [field] };
        const box = document.querySelector("#wire [data-exchange]");
        document.getElementById("wire").showModal();
        box.hidden = false;
        await new ExchangeView(box).show({ parts: [{ at: 0, came: false, text }], units: [unit] });
    }"""
    for name in NAMES.values():
        text = f'{{"username":"{name}","n":12}}'
        page.evaluate(show, [text.encode().decode("latin-1"), text])
        shown = page.locator("#wire .field-list bdi").evaluate(PLACES)
        places = [place for place in shown if place["width"]]
        line = [place["left"] for place in places if place["top"] == places[-1]["top"]]
        assert line == sorted(line), name
        assert not set("\u202e\u2066\u2067\u2068\u2069\u2029\x85") & {place["char"] for place in places}
        page.keyboard.press("Escape")


@pytest.mark.needs("chromium")
def test_what_is_written_runs_in_its_own_direction(school, visit):
    """A name or a message that is being written, on the room's page and on the compare page."""
    visitor = visit(school.address)
    room, compare = visitor.open("/room"), visitor.open("/compare")
    for page, place in ((room, "#name"), (room, "#say [name=body]"), (compare, "#say [name=body]")):
        page.fill(place, "שלום")
        assert page.locator(place).evaluate("(e) => getComputedStyle(e).direction") == "rtl"


def test_an_error_page_isolates_what_it_quotes():
    """The sentence for programs stands between isolates when it quotes anything that is not plain."""
    from lab.server.pages.page import templates

    template = templates().from_string("{{ message | isolated }} after")
    assert template.render(message="no \u202eabc") == "\u2068no \u202eabc\u2069 after"
