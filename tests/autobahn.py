"""Autobahn's fuzzing client against both echoes: `python -m tests.autobahn` sets it up and prints verdicts.

The suite runs under Python 2.7 only, so it is no part of the test command's own set-up: once this has been
run, the tests run it too. Left out are compression and the timing of large messages; some 250 cases stay.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.echoes import ECHOES, echoes

SUITE = Path.home() / ".cache" / "pushlab-autobahn"
LEFT_OUT = ["9.*", "12.*", "13.*"]
START = "import sys; sys.argv = ['wstest', '-m', 'fuzzingclient', '-s', %r]; \
from autobahntestsuite import wstest; wstest.run()"
RANK = ["OK", "INFORMATIONAL", "NON-STRICT", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT", "FAILED"]
"""Autobahn's verdicts, the best first."""
MINUTES_S = 240


def interpreter():
    """A Python 2.7 of this machine, also one that pyenv keeps; None without one."""
    kept = sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python2.7"))
    found = [*map(str, kept), *filter(None, [shutil.which("python2.7")])]
    return next(filter(runs, found), None)


def runs(path):
    """Whether it does more than be there, as pyenv's stand-in does."""
    return subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0


def missing():
    """What keeps the suite from being run, in one sentence; nothing when it can be."""
    if interpreter() is None:
        return "Autobahn's test suite needs Python 2.7, and there is none"
    return "" if SUITE.exists() else "Autobahn's test suite is not set up: python -m tests.autobahn"


def set_up():
    """Put the suite where this user's programs keep what they can fetch again."""
    fetched = SUITE.with_suffix(".new")
    shutil.rmtree(fetched, ignore_errors=True)
    pip = [interpreter(), "-m", "pip", "install", "--quiet", "--target", fetched, "autobahntestsuite"]
    subprocess.run(pip, check=True)
    (fetched / "zope" / "__init__.py").touch()  # a folder of two packages, which --target leaves without
    fetched.rename(SUITE)


def verdicts(port):
    """What Autobahn says of each echo: the verdict on the behaviour and on the closing, by case."""
    with tempfile.TemporaryDirectory() as folder:
        servers = [{"agent": echo, "url": f"ws://127.0.0.1:{port}{path}"} for echo, path in ECHOES.items()]
        spec = {"outdir": folder, "servers": servers, "cases": ["*"], "exclude-cases": LEFT_OUT}
        where = Path(folder, "spec.json")
        where.write_text(json.dumps(spec | {"exclude-agent-cases": {}, "options": {"failByDrop": False}}))
        command = [interpreter(), "-c", START % str(where)]
        environment = os.environ | {"PYTHONPATH": str(SUITE)}
        subprocess.run(command, env=environment, capture_output=True, timeout=MINUTES_S, check=True)
        found = json.loads(Path(folder, "index.json").read_text())
    return {
        echo: {case: (said["behavior"], said["behaviorClose"]) for case, said in cases.items()}
        for echo, cases in found.items()
    }


def worse(found):
    """The cases in which the lab does worse than Tornado, with both verdicts."""
    pairs = {case: (found["lab"][case], theirs) for case, theirs in found["tornado"].items()}
    return {
        case: (mine, theirs)
        for case, (mine, theirs) in pairs.items()
        if any(RANK.index(m) > RANK.index(t) for m, t in zip(mine, theirs, strict=True))
    }


def main():
    """Set the suite up, run it and print what it found. Returns the exit code."""
    if missing() and interpreter():
        set_up()
    if missing():
        print(missing())
        return 3
    with echoes() as port:
        found = verdicts(port)
    for echo, cases in found.items():
        counted = Counter(behaved for behaved, _ in cases.values())
        print(f"{echo:8}", *(f"{verdict} {count}" for verdict, count in counted.items()))
    for echo, cases in found.items():
        print(f"{echo}, not as the standard asks:", *(c for c, v in cases.items() if v[0] in RANK[2:]))
    print("worse than Tornado:", worse(found) or "nothing")
    return 1 if worse(found) else 0


if __name__ == "__main__":
    sys.exit(main())
