"""Every command and every piece of code in a README works, as it stands there."""

import os
import re
import shutil
import sys
import sysconfig
import urllib.request

import pytest

import lab
from tests.support.command import Command
from tests.support.lab_here import LabHere
from tests.support.lab_process import ROOT

READMES = sorted(
    path for path in ROOT.glob("**/README.md") if not path.relative_to(ROOT).parts[0].startswith(".")
)
PATIENCE_S = 200.0
COMMAND = re.compile(
    r"(?:^|`)((?:python3?|\.venv/bin/python|uv|uvx|py|pip|pushlab)(?: [^`\n#]+)?)", re.MULTILINE
)
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
FIRST = (
    "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/python run_lab.py --mode longpoll"
)
WINDOWS = (
    r"py -m venv .venv && .venv\Scripts\pip install -q -e . && "
    r".venv\Scripts\python run_lab.py --mode longpoll"
)
SERVES = ("python run_lab.py", "python run_lab.py --lan", "python run_lab.py --base auto --no-browser")
BRIEFLY = ("--duration", "1s", "--rate", "8", "--clients", "3")
SHORTENED = {
    "python run_lab.py --mode longpoll": BRIEFLY,
    "python run_lab.py --exercise": (),
    "python3 -m tests -k WORD": ("--collect-only", "tests/test_words.py"),
    "python -m lab.languages": (),
    "python -m tests.faults": ("-h",),
    "python -m tests.faults -h": (),
    "python -m tests.benchmarks.prediction": ("-h",),
    "python -m tests.benchmarks.theory": ("-h",),
    "python -m tests.benchmarks.notebooks": ("-h",),
    "python -m tests.benchmarks.speed": ("-h",),
    "python -m tests.benchmarks.speed --only servers": ("-h",),
    "python -m tests.benchmarks.capacity": ("-h",),
    "python -m tests.benchmarks.labs": ("-h",),
    "python -m tests.benchmarks.profile websocket": ("-h",),
}
"""What takes minutes only shows its help, and a run lasts a second."""
ELSEWHERE = {
    "python run_lab.py --labs 2": "test_labs.py",
    "python -m lab.experiment.trials pages/recorded_proxy.json": "test_proxy_page.py tries the trials",
    "python3 -m tests": "this run",
    "python": "a word about the environment",
    "python run_lab.py --mode all": "test_cli.py",
    "python run_lab.py --mode all --duration 20s": "test_cli.py, with a shorter duration",
    "pip install .": "test_package.py",
    'pip install ".[dask]"': "its package is in the test extra, and test_engine.py uses it",
    "python run_lab.py --mode all -c 1000 --engine tcp://10.0.0.5:8786": "test_engine.py, on other machines",
    "pushlab": "test_package.py",
    'pip install -e ".[notebooks]"': "test_notebooks.py runs the notebooks in the kernel of that package",
    "python run_lab.py --notebooks": "test_notebooks.py, with a program in the place of Jupyter",
    "uv run run_lab.py --mode longpoll": "uv may be absent; it reads the same pyproject.toml",
    WINDOWS: "Windows has other paths",
    ".venv/bin/python": "a word about the environment",
    "py": "a word about the environment",
    "python -m pytest tests/test_tornado_private.py tests/test_delivery.py": "test_readme.py",
}
"""Commands that other tests run, or that no test can run here."""


def commands():
    """Every command in a README."""
    texts = [path.read_text(encoding="utf-8") for path in READMES]
    return sorted({found.strip() for text in texts for found in COMMAND.findall(text)})


def test_every_command_is_run_by_a_test():
    """A new command in a README needs its test here."""
    assert set(commands()) == {FIRST, *SERVES, *SHORTENED, *ELSEWHERE}


def start(command, *more, **environment):
    """A command of a README, by the Python of this run; CI keeps it from opening a browser."""
    _, *arguments = command.split()
    return Command(sys.executable, *arguments, *more, CI="true", **environment)


@pytest.mark.parametrize("command", SHORTENED)
def test_it_works(command):
    """It ends with exit code 0, or with 5 where pytest has found no test of that name."""
    with start(command, *SHORTENED[command]) as running:
        code, out, _ = running.ended(PATIENCE_S)
    assert code == 0 or "no tests collected" in out
    assert out


@pytest.mark.parametrize("command", SERVES)
def test_it_serves(command):
    """It opens a classroom at the address that it prints."""
    with start(command) as running:
        with urllib.request.urlopen(running.address()) as answer:
            assert answer.status == 200
        running.process.terminate()
        assert running.ended(PATIENCE_S)[0] == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has a command of its own")
def test_the_first_command_sets_up_and_measures(tmp_path):
    """In a copy of the checkout; the packages that pip would download are lent by this environment."""
    shutil.copytree(
        ROOT, tmp_path / "copy", ignore=shutil.ignore_patterns(".*", "__pycache__", "screenshots")
    )
    lent = {
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
    }  # 0: no isolation
    with Command("sh", "-c", FIRST, cwd=tmp_path / "copy", **lent) as running:
        code, out, err = running.ended(PATIENCE_S)
    assert code == 0, err
    assert "Nothing lost, doubled or out of order" in out


def blocks(readme):
    """The Python code in a README."""
    return CODE.findall((ROOT / readme).read_text(encoding="utf-8"))


def test_the_code_for_notebooks_works(tmp_path, monkeypatch, capsys):
    """The example of the public API, with shorter runs."""
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("README.md")
    assert "duration=10" in code and "rounds=3" in code
    exec(code.replace("duration=10", "duration=1").replace("rounds=3", "rounds=1, duration=1"), {})
    assert "latency" in capsys.readouterr().out
    assert len(lab.load("runs.json")) == 2


async def test_the_code_for_a_slow_link_works():
    """The example of the simulated link."""
    (code,) = blocks("lab/experiment/README.md")
    with LabHere() as here:
        body = "\n".join(f"    {line}" for line in code.replace("8000", str(here.lab.port)).splitlines())
        exec(f"async def example():\n{body}", names := {})
        await names["example"]()


def test_no_code_is_left_out():
    """Every README with Python code has its test above."""
    assert [path.relative_to(ROOT).as_posix() for path in READMES if blocks(path)] == [
        "README.md",
        "lab/experiment/README.md",
    ]
