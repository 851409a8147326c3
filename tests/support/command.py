"""`run_lab.py` as a command, started from anywhere and in any surroundings, and what it leaves."""

import json
import os
import re
import subprocess
import sys

from tests.support.lab_process import ROOT

PATIENCE_S = 120.0


class Command:
    """A command in an odd place: how it was started, and how it ended."""

    def __init__(self, *command, cwd=ROOT, stdin=subprocess.DEVNULL, **environment):
        pipes = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(
            list(map(str, command)),
            cwd=cwd,
            env={name: value for name, value in (os.environ | environment).items() if value is not None},
            start_new_session=True,
            **pipes,
        )

    def ended(self, patience=PATIENCE_S):
        """Wait for the end, at most so many seconds; returns the exit code and what was written.

        No traceback is in it.
        """
        out, err = (
            written.decode(errors="replace") for written in self.process.communicate(timeout=patience)
        )
        assert "Traceback" not in out + err, err
        return self.process.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def address(self):
        """Where a lab that serves says that it is."""
        lines = []
        for line in self.process.stdout:
            lines.append(line.decode(errors="replace"))
            if found := re.search(r"Teacher +(\S+)teacher\?token=(\S+)", lines[-1]):
                self.token = found[2]
                return found[1]
        raise AssertionError(lines)


def start_lab(*options, flags=(), root=ROOT, shell="", before=(), **where):
    """Start `run_lab.py` by its path; a shell may prepare what it finds."""
    prepared = ["sh", "-c", f'{shell} && exec "$@"', "sh"] if shell else []
    return Command(*before, *prepared, sys.executable, *flags, root / "run_lab.py", *options, **where)


def measures(running):
    """Whether a measured run did what it should: all is delivered, and the output is JSON alone."""
    code, out, err = running.ended()
    assert (code, err) == (0, "")
    run = json.loads(out)["runs"][0]
    return run["delivered"] == run["expected"] > 0
