"""The exercises in a browser: tasks, hints one by one, own progress, quiz cards, and the console's sheet."""

import json
import re

import pytest
from playwright.sync_api import expect

from lab.catalogue import MODES, TECHNIQUES
from lab.exercises import EXERCISES
from lab.exercises.loading import known_steps
from lab.exercises.texts import Texts
from lab.languages import CHINESE, ENGLISH
from lab.server.lesson.class_sheet import Report
from lab.server.pages.exercises import QUESTIONS, levels, pieces
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

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]
NAMES = ("李雷", "韩梅梅", "<img src=x onerror=alert(1)>", "a\u05d0b", "=1+1", "student 2", "student 10")
LIVE = "[data-status=waiting]"
WIDE = {"width": 1920, "height": 1080}


@pytest.fixture
def room(school):
    """The lab of this file as at the beginning: nothing measured, nothing reported, reports refused."""
    school.teacher_post("reset")
    school.teacher_post("exercises", open=False)
    return school


def class_of(school):
    """Names on the sheet: most stand at the fifth step of echo."""
    sheet = school.lab.lesson.class_sheet
    sheet.set_open(True)
    for name in NAMES:
        sheet.add(name, Report("mute", None, len(known_steps()["mute"]), 2, 1))
        sheet.add(name, Report("echo", "lengths", 4, 3, 1))
    sheet.add("student 10", Report("echo", "binary", 5, 7, 3))


def titled(exercise, step, language=ENGLISH):
    """The title of a step."""
    return Texts(language, exercise)(f"step.{step}")


def test_the_first_page_and_the_help_lead_there(room, visit):
    """A link on the first page, and one in the help of every page."""
    page = visit(room.address).open("/")
    page.click("main a[href$='/exercises']")
    expect(page.locator(LIVE)).to_be_visible()
    page.goto(f"{room.address}/anatomy")
    page.click("#ask")
    page.click("#help a[href$='/exercises']")
    page.wait_for_url("**/exercises")


# Tasks and hints ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
def test_every_exercise_is_there_with_its_texts(room, visit, language):
    """By levels and in order: title, minutes, task, the exchange as code, and the command to type."""
    page = visit(room.address, language=language).open("/exercises")
    found = [each.get_attribute("data-exercise") for each in page.locator("[data-exercise]").all()]
    assert found == list(EXERCISES)
    for name, exercise in EXERCISES.items():
        texts, place = Texts(language, name), page.locator(f"#exercise-{name}")
        shown = place.inner_text() if place.get_attribute("open") is not None else place.text_content()
        for text in (texts("title"), texts("minutes", minutes=exercise.minutes), f"--exercise {name}"):
            assert text in shown
        for is_code, text in (*pieces(texts("task")), *pieces(texts("exchange"))):
            assert text in shown, (is_code, text)
    assert len(page.locator(".level").all()) == len(list(levels(language)))


def test_code_and_prose_are_told_apart():
    """Lines that begin with four spaces are code, with their empty lines; paragraphs are not."""
    assert list(pieces("one\n\ntwo\n    a\n\n    b")) == [
        (False, "one"), (False, "two"), (True, "a\n\nb"),
    ]  # fmt: skip


def test_each_step_has_a_title():
    """The sheet and the page name a step by its title, in both languages."""
    for exercise, steps in known_steps().items():
        for language in (ENGLISH, CHINESE):
            assert [step for step in steps if not Texts(language, exercise).has(f"step.{step}")] == []


def test_hints_come_one_after_the_other(room, visit):
    """A button shows the next, the last has none; the browser keeps how many were shown."""
    page = visit(room.address).open("/exercises")
    echo = page.locator("#exercise-echo")
    echo.locator("summary").click()
    hints, button = echo.locator(".hints li:visible"), echo.locator(".hint")
    for shown in range(4):
        expect(hints).to_have_count(shown)
        if shown < 3:
            button.press("Enter")
    expect(button).to_be_hidden()
    page.reload()
    page.locator("#exercise-echo summary").click()
    expect(page.locator("#exercise-echo .hints li:visible")).to_have_count(3)
    page.locator("#exercise-mute summary").click()
    expect(page.locator("#exercise-mute .hints li:visible")).to_have_count(0)


@pytest.mark.parametrize("kept", ["nonsense", "null", '{"echo":"x"}', '{"echo":-5}', "[1]", '{"echo":99}'])
def test_storage_that_was_changed_breaks_nothing(room, visit, kept):
    """Whatever is in the browser's storage, or without it, the page works."""
    visitor = visit(room.address)
    visitor.context.add_init_script(f"localStorage.setItem('pushlab-hints', {json.dumps(kept)})")
    page = visitor.open("/exercises")
    expect(page.locator(LIVE)).to_be_visible()
    expect(page.locator("#exercise-mute .hints li[hidden]")).to_have_count(3)


def test_a_browser_without_storage_shows_hints_too(room, visit):
    """Storage that the browser forbids is done without."""
    visitor = visit(room.address)
    visitor.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } })"
    )
    page = visitor.open("/exercises")
    page.locator("#exercise-mute summary").click()
    page.locator("#exercise-mute .hint").click()
    expect(page.locator("#exercise-mute .hints li:visible")).to_have_count(1)


# Own progress -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
def test_own_progress_is_what_was_reported_under_the_name(room, visit, language):
    """While reports are refused the command has no name in it; then the state of the own name is shown."""
    page = visit(room.address, language=language).open("/exercises")
    expect(page.locator(LIVE)).to_be_visible()
    expect(page.locator(".report-to:not([hidden])")).to_have_count(0)
    class_of(room)
    page.fill("#name", "李雷")
    echo = page.locator("#exercise-echo .standing")
    expect(echo).to_contain_text(titled("echo", "lengths", language))
    expect(page.locator("#exercise-mute .standing")).to_have_attribute("data-done", "")
    expect(page.locator("#exercise-frame .standing")).to_have_text("")
    command = page.locator("#exercise-echo .command").last
    expect(command).to_have_text(re.compile(rf"--exercise echo --report-to {room.address} --name 李雷$"))
    room.lab.lesson.class_sheet.add("李雷", Report("echo", None, 9, 4, 1))
    expect(echo).to_have_attribute("data-done", "")
    page.fill("#name", "Jim")
    expect(echo).to_have_text("")


# The quiz -----------------------------------------------------------------------------------------


def test_there_are_two_cards_for_each_technique(room, visit):
    """One technique at a time, by the keyboard too; no card shows a number that was not measured."""
    page = visit(room.address).open("/exercises")
    for mode in MODES:
        page.locator(f"#quiz .switch .{mode}").press("Enter")
        cards = page.locator("[data-question]:visible")
        expect(cards).to_have_count(2)
        for card in cards.all():
            expect(card.locator("button")).to_have_count(4)
            card.locator("button").first.press("Enter")
            expect(card.locator("[role=status]")).to_contain_text(
                f"Not measured yet. Open the room by {TECHNIQUES[mode].title}"
            )
            assert f"/room?mode={mode}" in card.locator("a").get_attribute("href")


def test_a_card_is_answered_from_the_meters(room, visit):
    """A guess waits for the first measurement; right or wrong is what the meters say at that moment."""
    page = visit(room.address).open("/exercises")
    expect(page.locator(LIVE)).to_be_visible()
    card = page.locator("[data-quiz=longpoll] [data-question=requests]")
    page.locator("#quiz .switch .longpoll").click()
    card.locator("button").nth(0).click()
    expect(card.locator("a")).to_be_visible()
    post(room.address)
    room.look("/longpoll").read()
    status = card.locator("[role=status]")
    expect(status).to_contain_text("Measured in this room: ")
    expect(card.locator("a")).to_be_hidden()
    meter = json.load(room.look("/meters"))["techniques"]["longpoll"]["receive"]
    value = 10 * meter["requests"] / meter["messages"]
    place = sum(value >= start for start in QUESTIONS["requests"])
    expect(status).to_have_attribute("data-verdict", "right" if place == 0 else "wrong")
    card.locator("button").nth(place).click()
    expect(status).to_have_attribute("data-verdict", "right")
    wrong = (place + 1) % 4
    card.locator("button").nth(wrong).click()
    expect(status).to_have_attribute("data-verdict", "wrong")
    expect(status).to_contain_text("Each response ends its request")
    expect(card.locator("[aria-pressed=true]")).to_have_attribute("value", str(wrong))


# The console's sheet ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "empty", "headline"),
    [
        (ENGLISH, "No report has arrived.", "6 of 7 are at echo · step 5: "),
        (CHINESE, "还没有收到报告。", "7 人中有 6 人停在 echo · 第 5 步："),
    ],
)
def test_the_console_shows_where_the_class_stands(room, open_page, language, empty, headline):
    """Empty it says what to type; then the most frequent failing step, and names as text in any form."""
    page = open_page(room, "/teacher", teacher=True, language=language)
    expect(page.locator("#class-empty")).to_contain_text(empty)
    expect(page.locator("#class-empty .command")).to_contain_text(
        f"--exercise mute --report-to {room.address} --name"
    )
    page.click("#class-open")
    expect(page.locator("#class-open")).to_have_text(re.compile("Refuse reports|停止接收"))
    class_of(room)
    expect(page.locator("#stuck")).to_have_text(headline + titled("echo", "lengths", language))
    expect(page.locator("#class-empty")).to_be_hidden()
    rows = page.locator("#class-table tbody tr")
    expect(rows).to_have_count(len(NAMES))
    assert page.locator("#class-table img").count() == 0
    found = [head.inner_text().strip("\u2068\u2069") for head in rows.locator("th").all()]
    assert sorted(found) == sorted(NAMES) and found.index("student 2") < found.index("student 10")
    heads = page.locator("#class-table thead th").all_inner_texts()
    assert heads[1:] == ["mute", "echo"]
    cells = rows.nth(found.index("李雷")).locator("td")
    assert [cell.locator("span").first.inner_text() for cell in cells.all()] == ["✓", "5/9"]
    assert titled("echo", "lengths", language) in cells.nth(1).get_attribute("title")


def test_a_closed_sheet_stays_readable(room, open_page):
    """The teacher stops accepting; what has arrived stays, and the export has it."""
    page = open_page(room, "/teacher", teacher=True)
    class_of(room)
    expect(page.locator("#class-open")).to_have_text("Refuse reports")
    page.click("#class-open")
    expect(page.locator("#class-state")).to_contain_text("refused")
    expect(page.locator("#class-table tbody tr")).to_have_count(len(NAMES))
    with page.expect_download() as download:
        page.click("#class form button:not([type])")
    assert "李雷,echo,0,lengths" in download.value.path().read_text("utf-8")


# For everyone -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_axe_finds_nothing(room, open_page, language, theme):
    """No barrier on the page with an open exercise and an answered card, nor on the console with a sheet."""
    class_of(room)
    page = open_page(room, "/exercises", language=language, color_scheme=theme)
    page.locator("#exercise-echo summary").click()
    page.locator("#exercise-echo .hint").click()
    page.locator("[data-question]:visible button").first.click()
    expect(page.locator("[data-verdict]").first).to_be_visible()
    assert barriers(page) == []
    console = open_page(room, "/teacher", teacher=True, language=language, color_scheme=theme)
    expect(console.locator("#class-table tbody tr").first).to_be_visible()
    assert barriers(console) == []


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
@pytest.mark.parametrize("screen", ["phone", "projector", "wide"])
def test_a_picture_for_a_person_to_look_at(room, open_page, language, screen):
    """On a phone nothing sticks out; on a projector nothing is small or must be scrolled, part by part."""
    size = {"phone": PHONE, "projector": PROJECTOR, "wide": WIDE}[screen]
    class_of(room)
    page = open_page(room, "/exercises", language=language, viewport=size)
    expect(page.locator(LIVE)).to_be_visible()
    if screen != "phone":
        page.keyboard.press("p")
    for sheet in sheets(page) if screen != "phone" else ["all"]:
        if sheet in ("quiz", "all"):
            page.locator("[data-question]:visible button").first.click()
            expect(page.locator("[data-verdict]").first).to_be_visible()
        picture(page, f"exercises-{sheet}-{screen}-{language}", whole=screen == "phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert screen == "phone" or (too_much(page), too_small(page)) == ([], [])


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
@pytest.mark.parametrize("screen", ["phone", "projector", "wide"])
def test_a_picture_of_the_sheet(room, open_page, language, screen):
    """The sheet scrolls within its own box: the page becomes no wider, and on a projector no longer."""
    size = {"phone": PHONE, "projector": PROJECTOR, "wide": WIDE}[screen]
    class_of(room)
    for number in range(60):
        room.lab.lesson.class_sheet.add(f"student {number}", Report("history", "joining", 4, 1, 0))
    page = open_page(room, "/teacher", teacher=True, language=language, viewport=size)
    if screen != "phone":
        page.keyboard.press("p")
        page.click("#sheets [value=class]")
    expect(page.locator("#class-table tbody tr").first).to_be_visible()
    picture(page, f"class-{screen}-{language}", whole=screen == "phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert screen == "phone" or (too_much(page), too_small(page)) == ([], [])
