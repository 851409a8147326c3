"""Every page can be read and used: by everyone, in any theme, on a projector and on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.support.browsing import LOOKS, PHONE, PROJECTOR, picture, sheets, too_much, too_small

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

PAGES = {"join": "/", "room": "/room?mode=longpoll", "teacher": "/teacher"}
EVERY_PAGE = (*PAGES.values(), "/compare", "/technique/shortpoll", "/exercises", "/doctor", "/connections")
LANGUAGES = ("en", "zh-CN")
each_page = pytest.mark.parametrize("name", PAGES)
each_language = pytest.mark.parametrize("language", LANGUAGES)


def on_the_air(page):
    """Wait until the page has received the news."""
    page.wait_for_function("() => /[0-9]/.test(document.querySelector('#here, #count')?.textContent)")


# Accessible ---------------------------------------------------------------------------------------


def test_axe_finds_a_barrier(settled, open_page):
    """A box without a name is one."""
    page = open_page(settled, "/")
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    assert Axe().run(page).violations_count == 1


@each_page
@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_axe_finds_nothing(settled, open_page, name, language, theme):
    """axe finds no barrier for users with poor sight or without a mouse, in any theme or language."""
    page = open_page(settled, PAGES[name], teacher=True, language=language, color_scheme=theme)
    on_the_air(page)
    assert page.get_attribute("html", "data-theme") == theme
    for key in ("", "?"):
        if key:
            page.keyboard.press(key)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


@each_page
def test_keys_do_what_the_help_lists(settled, open_page, name):
    """P is the projector, T the other theme, ? help; but in a box they are letters."""
    page = open_page(settled, PAGES[name], teacher=True)
    root = page.locator("html")
    page.keyboard.press("p")
    expect(root).to_have_attribute("data-view", "projector")
    assert "view=projector" in page.url
    page.keyboard.press("p")
    page.keyboard.press("t")
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    if name == "room":
        page.focus("[name=body]")
        page.keyboard.type("top?")
        expect(page.locator("[name=body]")).to_have_value("top?")


@pytest.mark.parametrize(
    ("language", "paths"), list(zip(LANGUAGES, (EVERY_PAGE[::2], EVERY_PAGE[1::2]), strict=True))
)
def test_keys_of_one_letter_can_be_switched_off(settled, open_page, language, paths):
    """By a switch in the help of every page, which lasts; then a letter does nothing, and on again does."""
    page = open_page(settled, paths[-1], teacher=True, language=language)
    set_letters(page, False)
    for path in paths:
        page.goto(settled.address + path)
        for on in (False, True):
            expect(page.locator("#letters")).to_be_checked(checked=on)
            assert letters_work(page) is on
            set_letters(page, not on)
    set_letters(page, True)
    page.reload()
    expect(page.locator("#letters")).to_be_checked()
    assert letters_work(page)


def set_letters(page, on):
    """Use the switch in the help."""
    page.click("#ask")
    page.locator("#letters").set_checked(on)
    page.keyboard.press("Escape")


def letters_work(page):
    """Whether T changes the theme and ? opens the help, which is closed again; both or neither."""
    root, help_ = page.locator("html"), page.locator("#help")
    before = root.get_attribute("data-theme")
    page.keyboard.press("t")
    page.keyboard.press("?")
    changed = root.get_attribute("data-theme") != before
    expect(help_).to_be_visible(visible=changed)
    page.keyboard.press("Escape")
    return changed


def test_the_language_changes_in_place(settled, open_page):
    """The switch keeps the page and what is in its address, and the choice lasts."""
    page = open_page(settled, "/room?mode=sse")
    page.click("[data-mode=jsonp]")
    page.wait_for_url("**mode=jsonp")
    page.click("[data-lang=zh-CN]")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("[aria-current=true]")).to_have_attribute("data-mode", "jsonp")
    page.goto(settled.address)
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_the_keyboard_alone_is_enough(settled, open_page):
    """Tab reaches everything that can be clicked, shows where one is, and is never trapped."""
    page = open_page(settled, "/room?mode=sse")
    on_the_air(page)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 120)"))
    wanted = page.locator("a, button, input").locator("visible=true")
    assert all(html[:120] in reached for html in wanted.evaluate_all("all => all.map((e) => e.outerHTML)"))


# Pictures -----------------------------------------------------------------------------------------


@each_page
@each_language
@pytest.mark.parametrize("screen", ["projector", "phone"])
def test_a_picture_of_every_page(settled, open_page, name, language, screen):
    """For a person to look at; nothing sticks out, on a projector nothing is small or must be scrolled."""
    size = {"projector": PROJECTOR, "phone": PHONE}[screen]
    page = open_page(settled, PAGES[name], teacher=name == "teacher", language=language, viewport=size)
    if screen == "projector":
        page.keyboard.press("p")
    on_the_air(page)
    for sheet in sheets(page) if screen == "projector" else [""]:
        picture(page, "-".join(filter(None, (name, sheet, screen, language))), whole=screen == "phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        if screen == "projector":
            assert too_much(page) == []
            assert too_small(page) == []


@each_language
def test_a_bet_fits_on_a_projector(lab_here, open_page, language):
    """While it is open and while the bars grow, on every page that shows it."""
    pages = [
        open_page(
            lab_here, f"{path}{'&' if '?' in path else '?'}view=projector", True, language, viewport=PROJECTOR
        )
        for path in PAGES.values()
    ]
    pages[-1].click("#sheets [value=bet]")
    for step, sign in (("open", "#bet[data-state=open]"), ("count", "#bet[data-state=counting]")):
        lab_here.teacher_post("bet", do=step)
        for page, name in zip(pages, PAGES, strict=True):
            expect(page.locator(sign)).to_be_visible()
            picture(page, f"{name}-bet-{step}-projector-{language}")
            assert too_much(page) == []
