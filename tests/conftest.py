"""What every test may count on: `needs` marks for programs, and plain `async def` tests. Nothing else."""

import asyncio
import inspect
import os
import signal
import sys
from collections import Counter, defaultdict
from pathlib import Path

import hypothesis
import pytest

from tests import tools

if (Path(__file__).parent / "support" / "fixtures.py").exists():
    pytest_plugins = ["tests.support.fixtures", "tests.support.browser_fixtures"]

# The same examples every time and no stopwatch; `--hypothesis-profile=default` looks for new ones.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.load_profile("steady")

# Containers often set this: every process that a test starts would compile the lab, and every worker of
# pytest all tests, again and again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell that starts the tests in the background has them ignore Ctrl-C and SIGQUIT, nohup a closed terminal.
# Every lab would inherit that; it does not inherit a handler.
signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("SIGHUP", "SIGQUIT"):
    if (number := getattr(signal, name, None)) and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)

MISSED = "missed tool"
BROWSER = "browser"
IN_CI = os.environ.get("CI", "").lower() == "true"


def needed(item):
    """Return the tools that the test, its class and its module ask for."""
    return {name for mark in item.iter_markers("needs") for name in mark.args}


LONG = ("test_exercises.py", "test_three_browsers.py", "test_faults.py", "test_automatic_choice.py")
"""Files that take minutes. They begin first: one that is last keeps one processor waiting for the other."""


def pytest_collection_modifyitems(items):
    """Let the longest files begin, and refuse a tool that is not in the table: a misspelt name would
    otherwise skip its test for ever."""
    items.sort(key=lambda item: item.path.name not in LONG)
    for item in items:
        for name in needed(item) - tools.TOOLS.keys():
            raise pytest.UsageError(f"{item.nodeid} needs {name!r}, which tests/tools.py does not know")


@pytest.hookimpl(tryfirst=True)  # before any fixture tries to start the missing program
def pytest_runtest_setup(item):
    """Skip a test whose tool is missing; with CI=true fail it, so that nothing goes unproved unseen."""
    missing = sorted(name for name in needed(item) if tools.find(name) is None)
    # With the report, because other files run in other processes.
    item.user_properties += [(MISSED, name) for name in missing]
    reason = "; ".join(f"{name} is missing: {tools.command(name)}" for name in missing)
    if missing and IN_CI:
        pytest.fail(reason, pytrace=False)
    if missing:
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter, config):
    """Name the browsers, and promise the list of missed tools as the very last lines, below pytest's own."""
    write_browsers(terminalreporter)
    config.add_cleanup(lambda: write_missing(terminalreporter, missed_in(terminalreporter.stats)))


def write_browsers(reporter):
    """Say which versions of browsers were tested."""
    found = [pair for reports in reporter.stats.values() for report in reports for pair in properties(report)]
    if versions := sorted({value for key, value in found if key == BROWSER}):
        reporter.write_line(f"Browsers: {', '.join(versions)}")


def properties(report):
    """What a test has written into its report."""
    return getattr(report, "user_properties", ())


def missed_in(reports_by_outcome):
    """Return the tools that were missed: name -> how many tests of each file missed it."""
    missed = defaultdict(Counter)
    reports = [report for reports in reports_by_outcome.values() for report in reports]
    for report in [report for report in reports if getattr(report, "when", "") == "setup"]:
        for name in [value for key, value in report.user_properties if key == MISSED]:
            missed[name][Path(report.location[0]).name] += 1
    return missed


def write_missing(reporter, missing):
    """Say for each tool which tests went without it, and the command that gets it."""
    verdict = "failed, because CI=true" if IN_CI else "skipped"
    for name, files in sorted(missing.items()):
        where = ", ".join(f"{count} in {file}" for file, count in sorted(files.items()))
        reporter.write_line(f"{verdict}: tests without {name} ({where}). Get it with: {tools.command(name)}")


@pytest.hookimpl(tryfirst=True)  # pytest's own answer to a coroutine is to fail it
def pytest_pyfunc_call(pyfuncitem):
    """Run an `async def` test in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
    return True
