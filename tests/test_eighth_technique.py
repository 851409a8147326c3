"""One more technique: a line in the catalogue and a file on each side, and every page and program has it."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request

import pytest
from playwright.sync_api import expect

from lab.exercises.own_technique import MODE, add
from lab.exercises.steps import load
from tests.support.browsing import post, visiting
from tests.support.lab_process import ROOT, LabProcess

ANSWER = ROOT / "tests" / "answers" / "eighth.py"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the lab with one more technique: the answer of the exercise `eighth`."""
    folder, answer = tmp_path_factory.mktemp("copy"), load(ANSWER)
    add(ANSWER, answer.ROW, answer.PAGE, folder)
    shutil.copy(ROOT / "run_lab.py", folder)
    return folder


@pytest.fixture(scope="module")
def address(copy):
    """That lab, running."""
    process = LabProcess({"PYTHONPATH": str(copy)}, folder=copy)
    yield f"http://127.0.0.1:{process.port}"
    process.stop()


def get(address, path):
    """The text of a page, which must be there."""
    request = urllib.request.Request(address + path, headers={"Accept": "text/html, application/json"})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_its_page_shows_what_its_file_says(address, language):
    """A technique without texts has the first sentence of its own file, its code, and no claims."""
    page = get(address, f"/technique/{MODE}?lang={language}")
    assert (
        "An eighth technique: a response that never ends"
        in page.partition('class="says">')[2].partition("</p>")[0]
    )
    assert 'data-sheet="code"' in page
    assert 'data-sheet="claims"' not in page and 'value="claims"' not in page


@pytest.mark.parametrize("path", ["/", f"/room?mode={MODE}", "/compare", "/technique/sse"])
def test_every_page_has_it(address, path):
    """Each page that shows the techniques shows it as well."""
    assert MODE in get(address, path)


def test_programs_find_it(address):
    """It is described, and metered."""
    paths = json.loads(get(address, "/openapi.json"))["paths"]
    assert set(paths[f"/{MODE}"]) == {"get", "post"}
    assert MODE in json.loads(get(address, "/meters"))["techniques"]


def test_it_can_be_measured(copy):
    """A run of it loses nothing, and is predicted."""
    command = [sys.executable, "run_lab.py", "--mode", MODE, "-c", "2", "-r", "5", "-d", "1s"]
    done = subprocess.run(
        [*command, "--redis", "private", "--json"],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["mode"], run["lost"]) == (MODE, 0)
    assert run["predicted"]["bytes"] > 0


@pytest.mark.needs("chromium")
def test_a_page_receives_by_it(address, browser):
    """Its script hears a message, and what the page sends by it arrives."""
    with visiting(browser) as visit:
        page = visit(address).open(f"/room?mode={MODE}")
        expect(page.locator("[data-status=waiting]")).to_be_visible()
        post(address, "by another")
        expect(page.locator("#messages li", has_text="by another")).to_be_visible()
        page.fill("form#say [name=body]", "by this page")
        page.press("form#say [name=body]", "Enter")
        expect(page.locator("#messages li", has_text="by this page")).to_be_visible()
