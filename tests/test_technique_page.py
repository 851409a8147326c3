"""The page of each technique: its idea, what is measured beside each claim, and the code that really runs."""

import json
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lab.catalogue import DEFAULT, MODES, TECHNIQUES, client_side, server_side
from lab.languages import catalogue
from lab.server.pages.dialogue import dialogue
from lab.server.pages.technique import sources
from tests.support.browsing import (
    LOOKS,
    PHONE,
    PROJECTOR,
    barriers,
    picture,
    post,
    sheets,
    too_much,
    too_small,
)
from tests.support.lab_process import ROOT

LANGUAGES = ["en", "zh-CN"]
each = pytest.mark.parametrize("mode", MODES)

TRIES, LOOK_MS = 5, 6000
"""A message is looked for so long before another one is sent."""


@pytest.fixture
def address(lab):
    """Where the shared lab is."""
    return f"http://127.0.0.1:{lab.port}"


@each
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_technique_has_claims_for_and_against(mode, language):
    """In each language there are at least two of each, or one, and the same figures beside them."""
    keys = [key for key in catalogue(language) if key.startswith(f"technique.{mode}.")]
    assert keys == [key for key in catalogue("en") if key.startswith(f"technique.{mode}.")]
    for kind in ("pro", "con"):
        assert len([key for key in keys if f".{kind}." in key]) >= 2


@each
def test_the_dialogue_is_that_of_the_verb(mode):
    """A poll that waits and a stream stay open; a client sends by its connection if it has no other way."""
    parts = dialogue(TECHNIQUES[mode])
    assert any(part.who == "held" for part in parts) is (TECHNIQUES[mode].verb != "ask")
    assert any(part.text == "send" for part in parts) is (mode == "websocket")
    for language in LANGUAGES:
        assert {f"technique.dialogue.{part.text}" for part in parts} <= catalogue(language).keys()
    assert all(1 <= part.start <= part.end <= 4 for part in parts)  # the columns that the style sheet has


@each
def test_the_lines_that_differ_are_marked(address, mode):
    """What is not marked stands in the other technique's file in the same order; the page has the marks."""
    other = MODES[MODES.index(mode) - 1]
    marked, plain = sources(mode, other), sources(other)
    for own, theirs in zip(marked, plain, strict=True):
        rest = iter(theirs.lines)
        assert all(line in rest for n, line in enumerate(own.lines, 1) if n not in own.differing)
    with urllib.request.urlopen(f"{address}/technique/{mode}?with={other}") as answer:
        assert answer.read().decode().count('class="line differs"') == sum(
            len(own.differing) for own in marked
        )
    assert not any(own.differing for own in sources(mode))


def test_a_comparison_with_an_unknown_technique_is_refused(address):
    """As a bad parameter, like an unknown technique of the room."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{address}/technique/sse?with=telepathy")
    assert json.load(caught.value)["error"]["code"] == "bad_parameter"


@pytest.mark.needs("chromium")
@each
def test_the_code_is_the_code_that_runs(visit, address, mode):
    """All three files stand on the page, whole, and line n can be linked to."""
    page = visit(address).open(f"/technique/{mode}")
    files = {
        "server": server_side(mode).__file__,
        "client": client_side(mode).__file__,
        "browser": ROOT / "pages" / "static" / "techniques" / f"{mode}.js",
    }
    for side, path in files.items():
        written = Path(path).read_text(encoding="utf-8").splitlines()
        lines = page.locator(f"[id^='{side}-']").evaluate_all("lines => lines.map(line => line.textContent)")
        numbered = [f"{n}{line}\n" for n, line in enumerate(written, 1)]
        assert lines == numbered
    assert page.locator("#server-3 a").get_attribute("href") == "#server-3"
    assert page.locator("[style]").count() == 0


@pytest.mark.needs("chromium")
def test_the_last_exchange_of_the_room_is_shown(start_lab, visit):
    """A recording, marked, until there is one; then the newest; and the recording again when it is chosen."""
    address = f"http://127.0.0.1:{start_lab().port}"
    visitor = visit(address)
    page = visitor.open("/technique/shortpoll")
    about, text = page.locator("#about"), page.locator(".last .field-list")
    expect(about).to_contain_text("here is a recording")
    room = visitor.open("/room?mode=shortpoll")
    expect(room.locator("[data-status=waiting]")).to_be_visible()
    page.bring_to_front()
    for _ in range(TRIES):  # only the five newest requests are searched, and a busy page may look later
        post(address, "the newest of this room")
        with suppress(AssertionError):
            expect(text.get_by_text("the newest of this room")).to_be_visible(timeout=LOOK_MS)
            break
    expect(text.get_by_text("the newest of this room")).to_be_visible()
    expect(about).to_contain_text("of this room")
    page.locator(".last [value=recorded]").click()
    expect(about).to_contain_text("Recorded with Push Lab")
    expect(text.get_by_text("the newest of this room")).to_be_hidden()


@pytest.mark.needs("chromium")
def test_figures_beside_the_claims_are_measured_or_marked(start_lab, visit):
    """Before the first request each shows "not measured yet"; then it shows the meters."""
    address = f"http://127.0.0.1:{start_lab().port}"
    page = visit(address).open("/technique/shortpoll")
    expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
    assert set(page.locator("[data-figure]").all_inner_texts()) == {"not measured yet"}
    post(address)
    for _ in range(4):
        urllib.request.urlopen(f"{address}/shortpoll?after=latest").read()
    expect(page.locator("[data-figure=empty_share]")).to_have_attribute("value", "1")
    expect(page.locator("[data-figure=empty_share]")).to_have_text("100%")
    expect(page.locator("[data-figure=p50]")).to_have_text("not measured yet")


@pytest.mark.parametrize("mode", ["nowhere", "shortpoll.py", "Sse", "..%2fsse"])
def test_an_unknown_word_is_not_found(address, mode):
    """The error has the shape that every error has."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{address}/technique/{mode}")
    assert caught.value.code == 404
    assert json.load(caught.value)["error"]["code"] == "not_found"


@pytest.mark.needs("chromium")
@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_axe_finds_no_barrier(visit, address, language, theme):
    """axe finds no barrier on any, in either language and theme; code has the same colours on all."""
    visitor = visit(address, language=language, theme=theme)
    page = visitor.open("/technique/websocket")
    for mode in MODES:
        page.goto(f"{address}/technique/{mode}")
        assert barriers(page, but=[".side pre"] if mode != DEFAULT else []) == []


@pytest.mark.needs("chromium")
def test_an_open_question_is_linked(school, visit):
    """While the class may answer, the page leads to the question; before and afterwards it does not."""
    page = visit(school.address, size=PHONE).open("/technique/longpoll")
    link = page.locator("#question")
    expect(link).to_be_hidden()
    school.teacher_post("bet", do="open")
    expect(link).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    link.click()
    expect(page.locator("#bet [data-bet=sse] .guess")).to_be_visible()
    school.teacher_post("bet", do="count")
    page.go_back()
    expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
    expect(link).to_be_hidden()
    school.teacher_post("bet", do="close")


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_sticks_out_on_a_phone(visit, address, language):
    """Long lines of code scroll in their own box; the page itself does not move sideways."""
    page = visit(address, language=language, size=PHONE).open("/technique/longpoll")
    picture(page, f"technique-phone-{language}", whole=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def silence(route):
    """Answer with a script that does nothing, so that no news changes what the page shows."""
    route.fulfill(content_type="text/javascript", body="")


def contradict(page):
    """Show a wide figure beside each claim, and each claim that can be contradicted as it then looks."""
    page.evaluate(
        """() => {
            for (const place of document.querySelectorAll("[data-figure]")) {
                place.classList.remove("unmeasured");
                place.textContent = "999.99 kB";
            }
            for (const claim of document.querySelectorAll(".claims [data-at-most]")) {
                claim.classList.add("wrong");
                claim.querySelector(".claim").hidden = true;
                claim.querySelector(".otherwise").hidden = false;
            }
        }"""
    )


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_claims_fit_a_projector_whatever_was_measured(visit, address, language):
    """Figures are wider than "not measured", and the sentence in place of a wrong claim is longer."""
    page = visit(address, language=language, size=PROJECTOR).open("/")
    page.route("**/static/technique.js", silence)
    for mode in MODES:
        page.goto(f"{address}/technique/{mode}?view=projector")
        page.click("#sheets [value=claims]")
        for change in (lambda page: None, contradict):
            change(page)
            assert too_much(page) == [], mode


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_fits_a_projector(visit, address, language):
    """Idea, claims and code of every technique, one at a time and without scrolling the page."""
    page = visit(address, language=language, size=PROJECTOR).open("/")
    for mode in MODES:
        page.goto(f"{address}/technique/{mode}?view=projector")
        expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
        for sheet in sheets(page):
            picture(page, f"technique-{mode}-{sheet}-projector-{language}")
            assert too_much(page) == []
            assert too_small(page) == []


@pytest.mark.needs("chromium")
def test_a_link_to_a_line_opens_its_sheet(visit, address):
    """On a projector too: the code is shown, that line in sight; the keyboard alone changes the sheet."""
    page = visit(address, size=PROJECTOR).open("/technique/sse?view=projector#browser-40")
    expect(page.locator("#browser-40")).to_be_in_viewport()
    expect(page.locator("#server-1")).to_be_hidden()  # one file at a time
    page.focus("#sheets [value=claims]")
    page.keyboard.press("Enter")
    expect(page.locator("#browser-40")).to_be_hidden()
    expect(page.locator(".claims")).to_be_visible()
