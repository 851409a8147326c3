"""The command line as a process: run to its end, or serving."""

import json
import subprocess
import sys
import time
import urllib.request

from tests.support.lab_process import ROOT

CAPTURED = {"cwd": ROOT, "capture_output": True, "text": True}
PATIENCE_S = 200
"""For a run of every technique on a busy machine."""
SERVE = ["--no-browser", "--no-demo", "--redis", "private"]
"""Options of a lab that does nothing by itself."""
QUICK = ["-c", "3", "-r", "5", "-d", "1s", "--redis", "private"]


def run_lab(*arguments, **options):
    """Run the command and wait for its end."""
    command = [sys.executable, "run_lab.py", *arguments]
    done = subprocess.run(command, **CAPTURED, timeout=PATIENCE_S, check=False, **options)
    assert "Traceback" not in done.stdout + done.stderr
    return done


class Serving:
    """The command as a running server."""

    def __init__(self, *arguments, demo=False):
        quiet = [one for one in SERVE if not demo or one != "--no-demo"]
        command = [sys.executable, "run_lab.py", *quiet, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=20)

    def read_until(self, text):
        """What it printed, up to the line that holds this text."""
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if text in line:
                return "".join(lines)
        raise AssertionError("".join(lines))


def wait_for_deliveries(port):
    """Wait until a measured lab has delivered something."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/meters", timeout=5) as answer:
                if json.load(answer)["techniques"]["sse"]["receive"]["messages"]:
                    return
        except OSError:
            pass  # not yet listening
        time.sleep(0.05)
    raise AssertionError("nothing was delivered")
