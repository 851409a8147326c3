"""A third language is files only: a copy of the lab gets one, and every page is seen in it."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from lab import languages
from lab.catalogue import MODES
from lab.languages import CHINESE, ENGLISH
from lab.server.lesson.steps import STEPS
from tests.support.browsing import Visitor
from tests.support.lab_process import HALF_WRITTEN, ROOT, LabProcess
from tests.support.waiting import wait_until

TAG = "pl"
CODE = "    "
OVER_MS = 60_000
RECORD = ROOT / "notebooks" / "data" / "01-once.json"
NAMES = [
    *(r"https?://\S+", r"localhost:\d+", r"[\w./-]+\.(py|js|html)\b", r"Redis|Python|nginx"),
    *(r"\b(CSV|JSON|SVG|PNG)\b", r"RFC \d+ §[\d.]+", r"^\d+ · [a-z]+$", r"^([0-9a-f]{2} ?)+$"),
    *(r"close \d{4} · [0-9a-f ]+", r"[\w+/=-]{20,}"),
]
"""What is the same in every language: addresses, files, programs, formats, standards, exercises, digits."""
WATCH = """(() => {
    const kept = `script, style, code, pre, kbd, bdi, .body, [lang]:not(html), #class-table th,
        [data-field], .offset, .field-list b, .units .label, .boxes`;
    const names = new RegExp(NAMES, "g"), found = new Map();
    const bare = (text) => {
        let before, rest = text.replace(/[\\u2066-\\u2069]/g, "");
        do [before, rest] = [rest, rest.replace(/⟦[^⟦⟧]*⟧/g, " ")]; while (rest !== before);
        return rest.replace(names, " ");
    };
    const check = (text, element, how) => {
        const rest = bare(text ?? "");
        if (!/\\p{L}{2,}|[⟦⟧]/u.test(rest) || element?.closest(kept)) return;
        if (element?.tagName === "OPTION" && element.value === text) return;
        found.set(text, `${how} ${element?.outerHTML.slice(0, 120)}`);
    };
    const look = (node) => {
        const inside = node.parentElement;
        const figure = inside?.closest("[data-figure]"); // its unit is in an element of its own
        if (node.nodeType === Node.TEXT_NODE) check(figure?.textContent ?? node.data, inside, "text");
        if (node.nodeType !== Node.ELEMENT_NODE) return;
        for (const name of ["aria-label", "title", "placeholder", "alt", "aria-valuetext"]) {
            if (node.hasAttribute(name)) check(node.getAttribute(name), node, name);
        }
        node.childNodes.forEach(look);
    };
    const watch = new MutationObserver((all) => all.forEach((one) => {
        if (one.type === "childList") one.addedNodes.forEach(look);
        else look(one.target);
    }));
    watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    const draw = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        check(String(text), null, "canvas");
        return draw.call(this, text, ...rest);
    };
    window.untranslated = () => [...found].filter(([text]) => text.trim());
})()"""
"""Keeps every text that a page has had and that is not ⟦…⟧, in whatever way it came there."""


def marked(text):
    """A text of the third language: each line of the English one in brackets, but for code."""
    lines = text.split("\n")
    return "\n".join(line if not line or line.startswith(CODE) else f"⟦{line}⟧" for line in lines)


def translated():
    """The English catalogue in brackets, with a name and with numbers as Polish has them."""
    texts = {key: marked(text) for key, text in languages.own(ENGLISH).items()}
    numbers = {"number.group": "\N{NO-BREAK SPACE}", "number.point": ",", "number.percent": "{n}%"}
    return texts | numbers | {languages.OWN_NAME: "Polski"}


def own_lesson():
    """A step of a teacher's own, counted for a moment, and those of the lab without simulated clients."""
    texts = {name: {"en": "In English", TAG: "⟦Po polsku⟧"} for name in ("title", "say")}
    question = {"ask": {"en": "?", TAG: "⟦Ile?⟧"}, "kind": "number", "figure": "bytes", "mode": "sse"}
    own = texts | {"plan": {"each": 1, "rate": 4}, "questions": [question | {"seconds": 2}]}
    return {"steps": [own, *({"use": step.name} for step in STEPS if step.plan is None)]}


class Translated(LabProcess):
    """A copy of the lab with one more file in `pages/i18n/`, started as a teacher starts it."""

    def __init__(self, folder):
        for part in ("lab", "pages"):
            shutil.copytree(ROOT / part, folder / part, ignore=HALF_WRITTEN)
        shutil.copy(ROOT / "run_lab.py", folder)
        self.catalogue = folder / "pages" / "i18n" / f"{TAG}.json"
        self.catalogue.write_text(json.dumps(translated()), encoding="utf-8")
        self.folder, self.environment = folder, {"PYTHONPATH": str(folder)}
        lesson = folder / "lesson.json"
        lesson.write_text(json.dumps(own_lesson()), encoding="utf-8")
        options = ["--no-browser", "--port=0", "--redis=private", "--limit=rate=0", f"--lesson={lesson}"]
        self._start([sys.executable, "run_lab.py", *options], self.environment)
        said = iter(self.process.stdout.readline, b"")
        link = next(filter(None, (re.search(rb"(http://\S+)/teacher\?token=\S+", line) for line in said)))
        self.link, self.address = link[0].decode(), link[1].decode()

    def stop(self):
        """End it as Ctrl-C does."""
        self.process.terminate()
        super().stop()

    def run(self, *command):
        """Run a command of the copy."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=os.environ | self.environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The copy, running."""
    copy = Translated(tmp_path_factory.mktemp("copy"))
    yield copy
    copy.stop()


@pytest.fixture(scope="module")
def page(copy, browser):
    """One tab of a teacher whose browser is in the third language."""
    visitor = Visitor(browser, copy.address, language=TAG)
    names = "|".join([*NAMES, *(rf"\b{mode}\b" for mode in MODES)])
    visitor.context.add_init_script(WATCH.replace("NAMES", json.dumps(names)))
    page = visitor.open("/")
    page.goto(copy.link)
    yield page
    visitor.context.close()


def go(page, copy, path):
    """Open a page of the lab, and wait until it is connected and its help was looked at."""
    page.goto(copy.address + path)
    page.wait_for_function("() => document.querySelector('[data-status=connecting]') === null")
    page.click("#ask")
    page.keyboard.press("Escape")
    assert page.get_attribute("html", "lang") == TAG
    assert page.locator("[data-lang]").all_inner_texts() == ["English", "中文"]


def teacher(page, copy, action, **wanted):
    """Do one of the teacher's actions."""
    assert page.request.post(f"{copy.address}/teacher/{action}", data=wanted).ok


def assert_translated(page):
    """Every text that this page has had is in the third language, and there were some."""
    found = page.evaluate("untranslated()")
    assert found == [], found
    assert "⟦" in page.inner_text("body")


def use_room(page):
    """Send, see the bytes of what was sent, and choose another technique."""
    page.fill("form#say [name=body]", "⟦hello⟧")
    page.press("form#say [name=body]", "Enter")
    page.locator("#messages li button").first.click()
    expect(page.locator("#wire .units li").first).to_be_visible()
    page.keyboard.press("Escape")
    for mode in MODES:
        page.click(f"[data-mode={mode}]")
        expect(page.locator("[data-status=waiting]")).to_be_visible()


def use_compare(page):
    """Send, pause, look at the bytes of a lane and at the table of messages."""
    page.fill("form#say [name=body]", "⟦hello⟧")
    page.press("form#say [name=body]", "Enter")
    expect(page.locator("[data-lane=sse] [data-figure=p50]")).to_have_text(re.compile("[0-9]"))
    for button in ("#slow", "#pause", "#scale", "#listen", "#pause"):
        page.click(button)
    page.click("[data-lane=sse] .sign")
    page.click("details.messages summary")
    wait_until(lambda: opens_bytes(page), "the bytes of a lane are shown")
    page.keyboard.press("Escape")


def opens_bytes(page):
    """Whether the bytes of a lane's last request open; there are none before the first has been drawn."""
    page.press("[data-lane=shortpoll] .ways", "Enter")
    return "⟦" in page.inner_text("#wire")


def use_technique(page):
    """Look at the figures of its claims and at its last exchange."""
    expect(page.locator(".exchange .units li").first).to_be_visible()
    expect(page.locator("[data-status=live], [data-status=waiting]").first).to_be_attached()


def use_exercises(page):
    """Show every hint of an exercise, and answer a question of the quiz."""
    page.click("#exercise-mute summary")
    for _ in range(3):
        page.click("#exercise-mute button.hint")
    page.locator("[data-quiz] button").first.click()
    expect(page.locator("[data-quiz] [role=status]").first).not_to_be_empty()


def use_doctor(page):
    """Wait for the verdict."""
    expect(page.locator("#again")).to_be_enabled(timeout=OVER_MS)


def use_connections(page):
    """Open more streams than there are connections, and see what waits."""
    page.fill("#streams [name=count]", "7")
    page.click("#streams button")
    expect(page.locator("#verdict")).not_to_be_empty(timeout=OVER_MS)


def use_anatomy(page):
    """Show each recording, the sandbox, and the tools."""
    expect(page.locator("#exchange .units li").first).to_be_visible()
    for value in page.locator("#mode option").evaluate_all("all => all.map((one) => one.value)"):
        page.select_option("#mode", value)
        expect(page.locator("#exchange .units [aria-selected=true]")).to_be_visible()
    page.click("[data-source=live]")
    page.click("[data-source=sandbox]")
    page.fill("#hex", "810548656c6c6f")
    expect(page.locator("#exchange .units li").first).to_be_visible()
    page.locator("#break button, [data-sheet=break] button").first.click()
    expect(page.locator("[data-sheet=break] output").first).not_to_be_empty()


USED = {
    "/": None,
    "/room?mode=shortpoll": use_room,
    "/compare": use_compare,
    **{f"/technique/{mode}": use_technique for mode in MODES},
    "/exercises": use_exercises,
    "/doctor": use_doctor,
    "/connections": use_connections,
    "/anatomy": use_anatomy,
    "/proxy": None,
    "/lesson/sheet": None,
    "/nowhere": None,
}
"""Every page, and what is done there."""


@pytest.mark.needs("chromium")
@pytest.mark.timeout(300)
def test_every_page_is_in_it(copy, page):
    """Nothing on a page is in English but names and code, neither in its source nor by its scripts."""
    teacher(page, copy, "crew", do="start", each=1, rate=4)
    for path, use in USED.items():
        go(page, copy, path)
        if use:
            use(page)
        assert_translated(page)


@pytest.mark.needs("chromium")
@pytest.mark.timeout(300)
def test_a_lesson_is_in_it(copy, page):
    """Each step of a lesson, its questions, its answers and its reasons, on the console and on a phone."""
    go(page, copy, "/teacher")
    page.click("#guide-next")
    assert_translated(page)
    for path in ("/room?mode=sse", "/"):
        go(page, copy, path)
        expect(page.locator("#bet")).to_have_attribute("data-state", "open")
        if path != "/":
            page.click("#number button")
        assert_translated(page)
    go(page, copy, "/teacher")
    page.click("#guide-next")
    expect(page.locator("#bet")).to_have_attribute("data-state", "measured", timeout=OVER_MS)
    assert "⟦" in page.inner_text("#bet")
    for _ in own_lesson()["steps"][1:]:
        teacher(page, copy, "lesson", do="skip")
        expect(page.locator("#guide-say")).to_contain_text("⟦")
        assert_translated(page)
    for path in ("/room?mode=sse", "/lesson/sheet", "/lesson/sheet?answers=1"):
        go(page, copy, path)
        assert_translated(page)


@pytest.mark.needs("chromium")
@pytest.mark.timeout(300)
def test_an_exercise_is_in_it(copy, page):
    """On the terminal, and the report of it on the console."""
    teacher(page, copy, "exercises", open=True)
    options = ["--exercise", "mute", "--language", TAG, "--report-to", copy.address, "--name", "⟦Anna⟧"]
    done = copy.run("run_lab.py", *options)
    assert "⟦" in done.stdout and "Traceback" not in done.stderr, done.stderr
    go(page, copy, "/teacher")
    expect(page.locator("#class-table")).to_contain_text("⟦Anna⟧")
    assert_translated(page)


def test_a_report_is_in_it(copy):
    """Its texts; it says that its figures, which are not drawn here, are in English."""
    program = (
        "import lab; from lab.figures import html_report as page; page._figure = lambda *_: ''; "
        f"runs = lab.load({str(RECORD)!r})[:1]; print(page.report(runs, '{TAG}'))"
    )
    done = copy.run("-c", program)
    assert done.returncode == 0, done.stderr
    assert '<html lang="pl"' in done.stdout
    bare = re.sub(r"(?s)<svg.*?</svg>|<style.*?</style>|<[^>]*>|⟦[^⟦⟧]*⟧", " ", done.stdout)
    assert languages.catalogue(ENGLISH)["report.in_english"] in done.stdout
    assert re.findall(r"\b(technique|latency|measured|theory)\b", bare) == []


# What a language does not have --------------------------------------------------------------------


def test_what_is_missing_is_english_and_is_listed(copy):
    """A text that is absent, empty, or has other places, is the English one; plural forms may be more."""
    own = {
        "lab.name": "Labor",
        "lab.idea": " ",
        "lab.number": "Labor {m}",
        "lab.and": "{",
        "compare.count.requests.few": "{n} Anfragen",
        "compare.count.messages.few": "{x}",
        "nonsense": "x",
    }
    path = copy.catalogue.with_name("de.json")
    path.write_text(json.dumps(own), encoding="utf-8")
    try:
        listed = copy.run("-m", "lab.languages").stdout
        asked = (
            "import json, lab.languages as l; print(json.dumps([l.TAGS, l.missing('de'), l.catalogue('de')]))"
        )
        tags, missing, texts = json.loads(copy.run("-c", asked).stdout)
    finally:
        path.unlink()
    english = languages.catalogue(ENGLISH)
    assert tags == [ENGLISH, "de", TAG, CHINESE]
    assert set(missing) == english.keys() - {"lab.name"}
    assert texts == english | {"lab.name": "Labor", "compare.count.requests.few": "{n} Anfragen"}
    assert f"de (de): {len(english) - 1} of {len(english)} texts are missing\n" in listed
    assert "\n  lab.number\n" in listed and f"{TAG} (Polski): 0 of" in listed


def test_a_broken_file_is_named(copy):
    """The lab does not start, and says which line of which file is wrong."""
    path = copy.catalogue.with_name("de.json")
    path.write_text('{"lab.name": "Labor",\n}', encoding="utf-8")
    try:
        done = copy.run("run_lab.py", "--no-browser", "--port=0", "--redis=private")
    finally:
        path.unlink()
    assert done.returncode == 3
    assert "de.json: line 2, column 1" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
def test_the_labs_own_languages_are_complete(language):
    """Nothing is missing in English and Chinese."""
    assert languages.missing(language) == []
