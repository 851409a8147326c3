"""The processes that a process has started, and those that they have started. Linux."""

from pathlib import Path

from tests.support.waiting import wait_until


def descendants(pid):
    """The ids of all processes below this one."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def command_of(pid):
    """Its command line, each word with a zero behind it; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def alive(pid):
    """Whether this process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def all_end(pids):
    """Wait until none of them runs."""
    wait_until(lambda: not any(map(alive, pids)), f"the end of {pids}")
