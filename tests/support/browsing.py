"""A real browser for the pages of the lab: who opens them, what axe finds, pictures to look at."""

import json
import re
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from lab.catalogue import MODES
from tests import tools
from tests.support.lab_process import ROOT

PICTURES = Path(__file__).resolve().parent.parent.parent / "screenshots"
PATIENCE_MS = 20_000
NAME = "lab.test"
"""A host name that is not localhost, by which the browser finds this machine."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {NAME} 127.0.0.1",
]
LOOKS = (("en", "light"), ("zh-CN", "dark"))
"""Language and theme of a page for axe: its rules look at texts or at colours, none at both."""
READ = "pre, .log, #users, input, .units, .grid, .field-list, .unseen"
"""Boxes made for reading in: a projector may scroll them."""
PROJECTOR, PHONE = {"width": 1280, "height": 720}, {"width": 360, "height": 740}

MOST_HELD = 4


def held_by(mode):
    """How many of the browser's six connections a technique holds, by what its module exports."""
    text = (ROOT / "pages" / "static" / "techniques" / f"{mode}.js").read_text(encoding="utf-8")
    return int(re.search(r"^export const HOLDS = (\d);$", text, re.MULTILINE)[1])


def listeners():
    """The techniques that listen on the page: in the catalogue's order, each whose connections still fit."""
    held = 0
    for mode in MODES:
        if held + held_by(mode) <= MOST_HELD:
            held += held_by(mode)
            yield mode


LISTENING = list(listeners())
RESTING = [mode for mode in MODES if mode not in LISTENING]

expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def chromium():
    """The browser, for as long as the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.find("chromium"), args=ARGUMENTS)
        yield browser
        browser.close()


class Visitor:
    """A user with a browser context of its own; errors on its console are kept, a broken policy too."""

    def __init__(
        self, browser, address, language="en", theme="light", size=PROJECTOR, motion="no-preference"
    ):
        self.address = address
        self.context = browser.new_context(
            locale=language, color_scheme=theme, viewport=size, reduced_motion=motion
        )
        self.complaints = []

    def open(self, path):
        """Open a page of the lab in a tab of its own."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)
        page.goto(self.address + path)
        return page

    def _note(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@contextmanager
def visiting(browser):
    """A function that opens a browser for a user; at the end no console has an error."""
    visitors = []

    def visit(address, **how):
        visitors.append(Visitor(browser, address, **how))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.context.close()
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    assert complaints == [], complaints


def post(address, body="hello", username="publisher"):
    """Send a message from outside any page; returns its id."""
    message = {"mid": str(uuid.uuid4()), "username": username, "body": body}
    request = urllib.request.Request(f"{address}/shortpoll", json.dumps(message).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["id"]


def meters(address):
    """What each technique cost up to now."""
    with urllib.request.urlopen(f"{address}/meters") as answer:
        return json.load(answer)["techniques"]


def barriers(page, but=()):
    """The barriers that axe finds, but for some parts: each rule with the elements that break it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context={"exclude": [[part] for part in but]}).response["violations"]
    return [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]


def picture(page, name, whole=False):
    """Take a screenshot, so that a person can look."""
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)


def sheets(page):
    """Open one after the other the parts of which a projector shows one at a time; yields their names."""
    buttons = page.locator("#sheets button")
    for button in buttons.all():
        button.click()
        yield button.get_attribute("value")
    if not buttons.count():
        yield ""


def unfold(page, place):
    """Open the folded part of a panel, as a user does."""
    page.click(f"{place} details.more:not([open]) > summary")


def too_much(page):
    """What a projector cannot show without scrolling: the page itself, or any box not made for reading in."""
    return page.evaluate(
        """(read) => [...document.querySelectorAll(`html, main, main *:not(${read})`)]
            .filter((e) => e.checkVisibility() && e.scrollHeight > e.clientHeight + 1 &&
                (e.tagName === "HTML" || getComputedStyle(e).overflowY !== "visible"))
            .map((e) => [e.tagName, e.id, e.className, e.scrollHeight, e.clientHeight])""",
        READ,
    )


def too_small(page, base=20, figure=32, least=16):
    """What the last row cannot read: the base, measured figures and other text under so many px."""
    return page.evaluate(
        """([base, figure, least]) => {
            const px = (e) => parseFloat(getComputedStyle(e).fontSize);
            const figures = ".figure, [data-figure], [data-tally], .huge, .bet .truth";
            const texts = [...document.querySelectorAll("main *")].filter((e) => e.checkVisibility() &&
                [...e.childNodes].some((node) => node.nodeType === 3 && /\\S/.test(node.data)));
            const wanted = (e) => e.matches(figures) && !e.matches(".unmeasured") ? figure : least;
            const small = texts.filter((e) => px(e) < wanted(e)).map((e) => e.outerHTML);
            return px(document.documentElement) < base ? ["html", ...small] : small;
        }""",
        [base, figure, least],
    )
