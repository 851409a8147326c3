"""One more technique: a line in the catalogue and a file on each side, and every page and program has it."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

import pytest

from tests.support.lab_process import ROOT, LabProcess

WORD = "eighth"
ROW = f'        Technique("{WORD}", "the eighth", "第八种", "stream", "#A0266D", "#FF8FC7", "H"),\n'
SIDES = ("lab/techniques/{}.py", "lab/clients/{}.py", "pages/static/techniques/{}.js")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the lab with one more technique, which does what fetch does."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("lab", "pages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run_lab.py", folder)
    for side in SIDES:
        text = (folder / side.format("fetch")).read_text(encoding="utf-8")
        mine = re.sub(r'"/?fetch"|"/fetch', lambda found: found[0].replace("fetch", WORD), text)
        (folder / side.format(WORD)).write_text(mine, encoding="utf-8")
    catalogue = folder / "lab" / "catalogue.py"
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(text.replace("    )\n}\n", f"{ROW}    )\n}}\n", 1), encoding="utf-8")
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
    page = get(address, f"/technique/{WORD}?lang={language}")
    assert "HTTP streaming, read by fetch()" in page.partition('class="says">')[2].partition("</p>")[0]
    assert 'data-sheet="code"' in page
    assert 'data-sheet="claims"' not in page and 'value="claims"' not in page


@pytest.mark.parametrize("path", ["/", f"/room?mode={WORD}", "/compare", "/technique/sse"])
def test_every_page_has_it(address, path):
    """Each page that shows the techniques shows it as well."""
    assert WORD in get(address, path)


def test_programs_find_it(address):
    """It is described, and metered."""
    paths = json.loads(get(address, "/openapi.json"))["paths"]
    assert set(paths[f"/{WORD}"]) == {"get", "post"}
    assert WORD in json.loads(get(address, "/meters"))["techniques"]


def test_it_can_be_measured(copy):
    """A run of it loses nothing, and is predicted."""
    command = [sys.executable, "run_lab.py", "--mode", WORD, "-c", "2", "-r", "5", "-d", "1s"]
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
    assert (run["mode"], run["lost"]) == (WORD, 0)
    assert run["predicted"]["bytes"] > 0
