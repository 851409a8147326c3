"""The processes that a process has started, and those that they have started. Linux."""

from pathlib import Path

from tests.support.waiting import wait_until


def descendants(pid):
    """The ids of all processes below this one."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in map(int, written_in(task / "children").split()):
            found += [child, *descendants(child)]
    return found


def command_of(pid):
    """Its command line, each word with a zero behind it; nothing when it has ended."""
    return written_in(Path(f"/proc/{pid}/cmdline"))


def alive(pid):
    """Whether this process runs; one that has ended and waits for its parent does not."""
    state = written_in(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return bool(state) and state[0] != "Z"


def written_in(path):
    """What the kernel says of a process, or of one of its threads; nothing when that has ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def all_end(pids):
    """Wait until none of them runs."""
    wait_until(lambda: not any(map(alive, pids)), f"the end of {pids}")
