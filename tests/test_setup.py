"""Promises after `git clone`: clear messages about what is missing, and one test command."""

import ast
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = "Scripts" if os.name == "nt" else "bin"
PACKAGES = ("tornado", "redis", "jinja2", "aiohttp", "rich", "pygments", "prometheus_client", "segno")


def run(*command, cwd, **environment):
    """Run a command as a user would, and return its output and exit code."""
    ours = {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": "", **environment}
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **ours}, capture_output=True, encoding="utf-8", check=False
    )


def empty_venv(path):
    """Make an environment without a single package and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True)
    return str(path / BIN / "python")


def add_packages(python):
    """Put an empty module of each needed name where this Python looks for packages."""
    question = "import sysconfig; print(sysconfig.get_path('purelib'))"
    purelib = Path(subprocess.check_output([python, "-c", question], text=True).strip())
    for name in PACKAGES:
        (purelib / f"{name}.py").touch()


@pytest.fixture
def clone(tmp_path):
    """A folder with run_lab.py and nothing else."""
    folder = tmp_path / "push lab"
    folder.mkdir()
    shutil.copy(ROOT / "run_lab.py", folder)
    return folder


@pytest.fixture
def bare(tmp_path):
    """A Python with no package at all."""
    return empty_venv(tmp_path / "bare")


def last_line(result):
    """Return the line a user would copy."""
    return result.stderr.strip().splitlines()[-1].strip()


def set_up(*arguments):
    """Return the set-up command that the README also gives, for this system."""
    if os.name == "nt":
        start = r"py -m venv .venv && .venv\Scripts\pip install -q -e . && .venv\Scripts\python run_lab.py"
    else:
        start = "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/python run_lab.py"
    return " ".join([start, *arguments])


def test_missing_packages_are_answered_with_the_command_that_brings_them(clone, bare):
    """No package: exit 3, both languages, every name, and a line to copy that keeps what was typed."""
    result = run(bare, "run_lab.py", "--mode", "longpoll", cwd=clone)
    assert result.returncode == 3
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert all(name in result.stderr for name in PACKAGES)
    assert "Push Lab cannot start" in result.stderr
    assert "无法启动" in result.stderr
    assert last_line(result) == set_up("--mode", "longpoll")


def test_without_arguments_the_command_has_none(clone, bare):
    """The line to copy ends with run_lab.py when nothing else was typed."""
    assert last_line(run(bare, "run_lab.py", cwd=clone)) == set_up()


def test_only_what_is_missing_is_named(clone, bare):
    """One package too few: that one is named, not the four that are there."""
    add_packages(bare)
    next(Path(bare).parent.parent.rglob("rich.py")).unlink()
    result = run(bare, "run_lab.py", cwd=clone)
    assert result.returncode == 3
    assert "missing: rich." in result.stderr


def test_an_argument_with_a_space_can_be_copied(clone, bare):
    """Arguments come back quoted for the shell."""
    result = run(bare, "run_lab.py", "--json", "my run.json", cwd=clone)
    quoted = '"my run.json"' if os.name == "nt" else "'my run.json'"
    assert last_line(result).endswith(f"--json {quoted}")


def test_from_another_folder_the_command_goes_there_first(clone, bare, tmp_path):
    """Started by its path: the line to copy works from where the user stands."""
    result = run(bare, clone / "run_lab.py", cwd=tmp_path)
    assert last_line(result).startswith("cd ")
    assert last_line(result).endswith(f" && {set_up()}")
    assert "push lab" in last_line(result)


def test_a_ready_venv_is_pointed_at(clone, bare):
    """Only the interpreter was wrong: nothing is to be installed again."""
    add_packages(empty_venv(clone / ".venv"))
    result = run(bare, "run_lab.py", "-c", "5", cwd=clone)
    assert result.returncode == 3
    assert "pip install" not in result.stderr
    assert last_line(result) == os.path.join(".venv", BIN, "python") + " run_lab.py -c 5"


def test_an_unfinished_venv_is_set_up_again(clone):
    """The .venv is there but empty, and even the interpreter that runs: the set-up command helps."""
    python = empty_venv(clone / ".venv")
    result = run(python, "run_lab.py", cwd=clone)
    assert (result.returncode, last_line(result)) == (3, set_up())


def test_an_ascii_terminal_is_no_reason_to_crash(clone, bare):
    """Chinese becomes question marks there; the English sentence and the command stay whole."""
    result = run(bare, "run_lab.py", cwd=clone, PYTHONIOENCODING="ascii")
    assert result.returncode == 3
    assert "Traceback" not in result.stderr
    assert result.stderr.isascii()
    assert last_line(result) == set_up()


def test_an_old_python_gets_a_clear_message(clone, bare):
    """Python 3.8 gets a sentence, not a syntax error; packages are not even looked for."""
    pretend = "import run_lab, sys; sys.version_info = (3, 8, 18); sys.exit(run_lab.main())"
    result = run(bare, "-c", pretend, cwd=clone)
    assert result.returncode == 3
    assert "missing: Python >= 3.11 (this is 3.8)." in result.stderr
    assert "缺少：Python >= 3.11" in result.stderr
    assert "tornado" not in result.stderr


def test_the_exit_code_of_the_lab_is_handed_on(clone, bare):
    """What lab.cli.main returns is what the shell sees."""
    add_packages(bare)
    lab_with_cli(clone, "def main(): return 42")
    assert run(bare, "run_lab.py", cwd=clone).returncode == 42


def test_ctrl_c_while_the_lab_loads_is_quiet(clone, bare):
    """Impatience during the imports: exit 130 and not a word."""
    add_packages(bare)
    lab_with_cli(clone, "raise KeyboardInterrupt")
    result = run(bare, "run_lab.py", cwd=clone)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def lab_with_cli(folder, source):
    """Put a lab package into the folder that holds only this lab.cli."""
    (folder / "lab").mkdir()
    (folder / "lab" / "cli.py").write_text(source, encoding="utf-8")


@pytest.mark.parametrize("path", ["run_lab.py", "tests/__main__.py", "tests/tools.py"])
def test_python_3_8_can_read_it(path):
    """A Python that is too old still starts far enough to print that it is."""
    ast.parse((ROOT / path).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_ci_runs_the_command_of_the_readme():
    """There is one test command: the README names it and .ci/run does nothing else."""
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert commands[-1] == "exec python3 -m tests"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python3 -m tests" in [line.strip() for line in readme.splitlines()]


HOLDING = """
from tests.__main__ import busy_machine
with busy_machine() as processes:
    print([process.pid for process in processes], flush=True)
    input()
"""


def is_running(pid):
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.name == "nt", reason="asks for processes by signals")
@pytest.mark.parametrize("killed", [False, True], ids=["in order", "killed"])
def test_under_load_leaves_no_busy_process(killed):
    """`--under-load` starts eight busy processes; they end with the run, also when it is killed."""
    script = [sys.executable, "-c", HOLDING]
    with subprocess.Popen(script, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # what is starting
        pids = ast.literal_eval(process.stdout.readline().decode())
        assert len(pids) == 8 and all(map(is_running, pids))
        if killed:
            process.kill()
    deadline = time.monotonic() + 20
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def checkout(folder, source):
    """Make a folder whose only tests are these, under the lab's own conftest and test command."""
    (folder / "tests").mkdir()
    (folder / "tests" / "__init__.py").touch()  # so that no other `tests` can come first
    for name in ("conftest.py", "tools.py", "__main__.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests")
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "tests" / "test_it.py").write_text(source, encoding="utf-8")


SOMETIMES = """
import pathlib
import pytest


@pytest.mark.parametrize("number", range({many}))
def test_it(number):
    before = pathlib.Path(f"before-{{number}}")
    first = not before.exists()
    before.touch()
    assert not first and not {always}


def test_another():
    with open("another", "a") as file:
        file.write("x")
"""


@pytest.mark.parametrize(
    ("many", "always", "code", "tries"),
    [(2, False, 0, 2), (2, True, 1, 2), (21, False, 1, 1)],
    ids=["passes alone", "always fails", "too many"],
)
def test_a_failed_test_is_tried_once_more_and_named(tmp_path, many, always, code, tries):
    """Few failed tests are tried again, without the others; what fails twice, or fails in a crowd, fails."""
    checkout(tmp_path, SOMETIMES.format(many=many, always=always))
    script = "import sys; from tests.__main__ import all_tests; sys.exit(all_tests(sys.executable))"
    result = run(sys.executable, "-c", script, cwd=tmp_path)
    assert (result.returncode, result.stdout.count("-- pytest")) == (code, tries), result.stdout
    assert (tmp_path / "another").read_text() == "x"
    named = "passed alone: tests/test_it.py::test_it[0], tests/test_it.py::test_it[1]"
    assert (named in result.stdout) == (code == 0)


def needing(tmp_path, tool, **environment):
    """Run a test that needs the tool, beside one that needs nothing."""
    checkout(tmp_path, NEEDING.format(tool=tool))
    return run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", cwd=tmp_path, **environment)


NEEDING = """
import pytest
from tests.tools import TOOLS, Tool

TOOLS["teleporter"] = Tool("", ("no-such-program",), "teleporter", "install teleporter")


@pytest.mark.needs("{tool}")
def test_with_it():
    pass


async def test_without_it(tmp_path):
    assert tmp_path.exists()
"""


def test_a_missing_tool_is_a_skip_with_its_command(tmp_path):
    """On a laptop: skipped, counted, and the last line says how to get the tool."""
    result = needing(tmp_path, "teleporter", CI="")
    assert result.returncode == 0
    assert "1 passed, 1 skipped" in result.stdout
    last = result.stdout.strip().splitlines()[-1]
    assert last.startswith("skipped: tests without teleporter (1 in test_it.py). Get it with: ")
    assert "install teleporter" in last


def test_in_ci_a_missing_tool_is_a_failure(tmp_path):
    """With CI=true nothing may go unproved: exit 1, with a message."""
    result = needing(tmp_path, "teleporter", CI="true")
    assert result.returncode == 1
    assert "1 passed, 1 error" in result.stdout
    last = result.stdout.strip().splitlines()[-1]
    assert last.startswith("failed, because CI=true: tests without teleporter (1 in test_it.py).")


def test_an_unknown_tool_is_a_mistake_in_the_test(tmp_path):
    """A misspelt name is refused; otherwise its test would be skipped for ever."""
    result = needing(tmp_path, "chromum", CI="")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "chromum" in result.stdout + result.stderr


def test_a_failing_coroutine_fails(tmp_path):
    """An `async def` test is really run: its assertion counts."""
    (tmp_path / "broken").mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "broken")
    (tmp_path / "broken" / "test_it.py").write_text("async def test_it(): assert False", encoding="utf-8")
    config = ROOT / "pyproject.toml"
    result = run(sys.executable, "-m", "pytest", "-c", config, "broken", cwd=tmp_path)
    assert result.returncode == 1
    assert "1 failed" in result.stdout
