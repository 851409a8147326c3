"""Wait for something that happens in another process or thread, with a limit and without a fixed pause."""

import time

from tests.support.wire import DEADLINE_S


def wait_until(probe, what, limit_s=DEADLINE_S):
    """Ask again and again until the answer is yes."""
    deadline = time.monotonic() + limit_s
    while not probe():
        assert time.monotonic() < deadline, f"Never came true: {what}"
        time.sleep(0.01)


def soon(look):
    """What something is, once it is anything."""
    until = time.monotonic() + DEADLINE_S
    while not (seen := look()) and time.monotonic() < until:
        time.sleep(0.02)
    return seen
