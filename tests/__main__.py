"""Check everything Push Lab promises.

    python3 -m tests                 ruff, its formatter, mypy, then every test
    python3 -m tests -k longpoll     arguments go to pytest, and lint is left out
    python3 -m tests --under-load    the same as either, on a machine that eight busy processes keep busy

The first run makes .venv and installs the packages there (inside another virtual environment: into that one).
As root on Debian or Ubuntu it also gets the programs some tests want, through apt, and starts no service.
A test whose program is missing is skipped, and the last lines say how to get it; with CI=true it fails.
Tests that fail beside others are tried once more, without them, and named: a machine that stands still for
two seconds is no fault of the lab's. The exit code is 0 when everything passed, at one of the two tries.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests import tools

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
"""The tests mostly wait: with three files at a time even two cores are never idle.

The longest files begin (tests/conftest.py), and the others follow in the order of their names: otherwise
files of few and long tests would all come last.
"""
MOST_AGAIN = 20
"""More failed tests than this are no accident: none of them is tried again."""
FAILED = ROOT / ".pytest_cache/v/cache/lastfailed"  # written by pytest for its --last-failed
TESTS_FAILED = 1  # pytest's exit code for that; others say that it could not run
LINT = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",))
UNDER_LOAD = "--under-load"
BUSY_PROCESSES = 8
BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"
"""A process that does nothing but work, and ends with the one that started it."""
SERVICE_POLICY = Path("/usr/sbin/policy-rc.d")  # Debian asks this file before it starts a service


def main(arguments):
    """Prepare, lint, test; return the exit code."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    if sys.version_info < (3, 11):
        return f"Push Lab needs Python 3.11 or newer; this is {sys.version.split()[0]}."
    install_programs()
    python = environment()
    install_packages(python)
    if UNDER_LOAD not in arguments:
        return check(python, arguments)
    with busy_machine():
        return check(python, [argument for argument in arguments if argument != UNDER_LOAD])


def check(python, arguments):
    """Run every check and name those that failed."""
    failed = [] if arguments else [" ".join(tool) for tool in LINT if run(python, *tool)]
    if run(python, "pytest", *arguments) if arguments else all_tests(python):
        failed.append("pytest")
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def all_tests(python):
    """Run all tests, and those that fail once more; return the exit code."""
    code = run(python, "pytest", "--cache-clear", *SIDE_BY_SIDE)
    if code != TESTS_FAILED:
        return code
    names = sorted(json.loads(FAILED.read_text(encoding="utf-8")))
    if len(names) > MOST_AGAIN:
        return code
    code = run(python, "pytest", "--last-failed")
    if not code:
        say(f"failed beside other tests, and passed alone: {', '.join(names)}")
    return code


@contextlib.contextmanager
def busy_machine():
    """Keep the machine busy for the length of the block."""
    command = [sys.executable, "-c", BUSY, str(os.getpid())]
    say(f"starting {BUSY_PROCESSES} busy processes")
    processes = [subprocess.Popen(command) for _ in range(BUSY_PROCESSES)]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def say(line):
    """Show progress at once, also when the output is a pipe."""
    print(f"-- {line}", flush=True)


def run(python, *tool):
    """Run one tool of the environment and return its exit code."""
    say(" ".join(tool))
    with subprocess.Popen([python, "-m", *tool], cwd=ROOT) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # the tool got the same Ctrl-C and is tidying up


def environment():
    """Return the Python to test with: the active environment's, else the one in .venv, made when absent."""
    if sys.prefix != sys.base_prefix:
        return sys.executable
    if not VENV_PYTHON.exists():
        say("making .venv")
        quietly(sys.executable, "-m", "venv", "--clear", VENV)
    return str(VENV_PYTHON)


def install_packages(python):
    """Install the lab and its test packages, unless that was done for this very pyproject.toml."""
    stamp = Path(python).parent.parent / "pushlab-tests.stamp"
    wanted = f"{ROOT} {hashlib.sha256((ROOT / 'pyproject.toml').read_bytes()).hexdigest()}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    say("installing the packages in pyproject.toml (once; about a minute)")
    if subprocess.call([python, "-c", "import pip"], stderr=subprocess.DEVNULL):
        quietly(python, "-m", "ensurepip")  # an environment made by uv comes without pip
    quietly(python, "-m", "pip", "install", "-q", "-e", ".[test]")
    stamp.write_text(wanted, encoding="utf-8")


def quietly(*command):
    """Run a command whose output matters only when it fails; then show it and stop."""
    line = [str(mode) for mode in command]
    done = subprocess.run(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print(done.stdout.decode(errors="replace"))
        sys.exit(f"failed: {' '.join(line)}")


def install_programs():
    """Install missing programs where we may: as root, with apt. A failure only means skipped tests."""
    missing = [name for name in tools.TOOLS if tools.find(name) is None]
    if not missing or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired), no_services():
        apt("update")
        for name in missing:  # one by one: a package unknown to this release must not stop the others
            say(f"apt-get install {tools.TOOLS[name].apt}: {tools.TOOLS[name].why}")
            for packages in tools.TOOLS[name].apt.split(" | "):
                if apt("install", "-y", "--no-install-recommends", *packages.split()):
                    break


def apt(*words):
    """Run apt-get without questions and without long waits; say how it ended."""
    patience = ["-o", "DPkg::Lock::Timeout=60", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    line = ["apt-get", "-qq", *patience, *words]
    done = subprocess.run(line, env=quiet, timeout=600, capture_output=True, check=False)
    if done.returncode:
        say(f"apt-get {words[0]} did not work: {done.stderr.decode(errors='replace').strip()}")
    return done.returncode == 0


@contextlib.contextmanager
def no_services():
    """Keep apt from starting what it installs: a test run must not leave a server behind."""
    if SERVICE_POLICY.exists():
        yield
        return
    try:
        SERVICE_POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        SERVICE_POLICY.chmod(0o755)
        yield
    finally:
        SERVICE_POLICY.unlink()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
