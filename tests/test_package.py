"""`pip install .` gives the whole lab: it serves, measures, reports and draws without the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

import lab
from lab.catalogue import MODES

ROOT = Path(__file__).resolve().parent.parent
PIP = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check")
PUBLIC = {"anatomy", "compare", "figures", "load", "measure", "predict", "save"}
BIN = "Scripts" if os.name == "nt" else "bin"

pytestmark = pytest.mark.timeout(180)  # it builds a wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A fresh environment with the lab's wheel in it; the packages that the lab needs are lent by ours."""
    folder = tmp_path_factory.mktemp("wheel")
    call(*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    call(sys.executable, "-m", "venv", "--without-pip", folder / "env")
    python = folder / "env" / BIN / "python"
    call(*PIP, "--python", python, "install", "--no-deps", "--no-index", *folder.glob("*.whl"))
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(output(asked, folder).strip())
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def call(*command):
    """Run a command that must work."""
    subprocess.run([str(mode) for mode in command], check=True, env=surroundings(), stdout=subprocess.DEVNULL)


def output(command, folder):
    """What a command prints, run in a folder."""
    return subprocess.check_output(command, cwd=folder, env=surroundings(), text=True)


def surroundings():
    """What a command sees of the test run: nothing of the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def pushlab(installed, *options):
    """The console script with some options."""
    return [str(installed.with_name("pushlab")), *options]


def test_the_wheel_is_what_runs(installed, tmp_path):
    """The lab is imported from the environment, with pages and recorded runs inside."""
    code = (
        "from lab import folders as f; print(f.LAB, f.PAGES.is_dir(), len(list(f.NOTEBOOKS.rglob('*.json'))))"
    )
    said = subprocess.check_output([installed, "-c", code], cwd=tmp_path, env=surroundings(), text=True)
    assert str(installed.parent.parent) in said and " True " in said
    assert int(said.split()[-1]) == len(list((ROOT / "notebooks" / "data").glob("*.json")))


def test_it_calls_itself_what_the_user_typed(installed, tmp_path):
    """Help, usage and errors name the installed command, not a file that is not there."""
    shown = output(pushlab(installed, "--help"), tmp_path)
    refused = subprocess.run(pushlab(installed, "--rate", "x"), cwd=tmp_path, capture_output=True, text=True)
    assert shown.startswith("usage: pushlab ") and "run_lab.py" not in shown
    assert refused.returncode == 2 and "pushlab: error: " in refused.stderr


def test_it_measures_reports_and_draws(installed, tmp_path):
    """`pushlab --mode longpoll` works in an empty folder, with everything that it can write."""
    outputs = ("--json", "run.json", "--csv", "run.csv", "--plot", "run.png", "--report", "run.html")
    command = pushlab(installed, "--mode", "longpoll", "-c", "2", "-r", "4", "-d", "500ms", *outputs)
    subprocess.run(command, cwd=tmp_path, env=surroundings(), check=True, stdout=subprocess.DEVNULL)
    assert json.loads((tmp_path / "run.json").read_text("utf-8"))["runs"][0]["lost"] == 0
    assert all((tmp_path / name).stat().st_size for name in outputs[1::2])


@contextmanager
def serving(command, folder):
    """The lab's address while it serves."""
    process = subprocess.Popen(command, cwd=folder, env=surroundings(), stdout=subprocess.PIPE, text=True)
    try:
        yield next(line.split()[1] for line in process.stdout if line.strip().startswith("Local"))
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def test_it_serves_every_page(installed, tmp_path):
    """`pushlab` serves pages, scripts and the code of each technique."""
    with serving(pushlab(installed, "--no-browser", "--port", "0"), tmp_path) as address:
        paths = [
            "",
            "room",
            "compare",
            "exercises",
            "doctor",
            "connections",
            "static/lab.css",
            *(f"technique/{mode}" for mode in MODES),
        ]
        for path in paths:
            with urllib.request.urlopen(address + path, timeout=20) as answer:
                assert answer.status == 200, path
                assert answer.read()


def test_the_version_is_the_wheels(installed, tmp_path):
    """`pushlab --version` says what pip says."""
    said = subprocess.check_output(
        pushlab(installed, "--version"), cwd=tmp_path, env=surroundings(), text=True
    )
    assert said.strip() == f"Push Lab {lab.__version__}"


def test_completion_shows_the_public_names():
    """`lab.<Tab>` shows what a notebook can call, before any of it has been loaded."""
    code = "import lab, sys; print(*dir(lab)); assert 'matplotlib' not in sys.modules"
    said = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert said and set(said) >= PUBLIC
    assert all(name in said for name in lab.__all__)
