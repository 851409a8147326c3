"""Whether the time of a refusal shows how near a guess at the teacher's token was.

    python -m tests.benchmarks.guessing        1,000 of each kind, a few seconds

All kinds take turns on one connection to one lab, so that their ratios hold on a busy machine too.
"""

import http.client
import json
import random
import time
from statistics import median

from lab.server.lesson.teacher_key import Guesses
from tests.benchmarks.machine import description
from tests.benchmarks.table import microseconds
from tests.support.lab_here import LabHere
from tests.support.wire import HOST

SAMPLES = 1000


class NoLimit(Guesses):
    """Lets every address guess on."""

    def admit(self, address):
        """Always."""

    def note(self, address):
        """Not here."""


def guesses(token):
    """What is shown in place of the token, by kind."""
    other = "x" if token[0] != "x" else "y"
    return {
        "nothing in common": other * len(token),
        "the first half": token[:20] + other * (len(token) - 20),
        "all but the last character": token[:-1] + ("x" if token[-1] != "x" else "y"),
        "too short": token[:-1],
        "too long": token + other,
        "another lab's cookie": None,
    }


def headers(token, cookie):
    """How a guess is shown; without a token as a cookie of another lab."""
    shown = {"Authorization": f"Bearer {token}"} if token else {"Cookie": f"{cookie}={'x' * 43}"}
    return {"Content-Type": "application/json"} | shown


def seconds(line, shown):
    """From the question to the end of a refusal."""
    began = time.perf_counter()
    line.request("POST", "/teacher/assign", b"{}", shown)
    answer = line.getresponse()
    body = json.loads(answer.read())
    taken = time.perf_counter() - began
    assert (answer.status, body["error"]["code"]) == (403, "forbidden")
    return taken


def sample(school):
    """So many refusals of each kind, in random turns."""
    kinds = {kind: headers(g, school.lab.lesson.cookie) for kind, g in guesses(school.lab.key.token).items()}
    found, line = {kind: [] for kind in kinds}, http.client.HTTPConnection(HOST, school.lab.port)
    for _ in range(SAMPLES):
        for kind in random.sample(list(kinds), len(kinds)):
            found[kind].append(seconds(line, kinds[kind]))
    line.close()
    return found


def main():
    """Measure, and print each kind's median beside the first one's."""
    with LabHere() as school:
        school.lab.key.guesses = NoLimit()
        found = sample(school)
    print(f"{description()}; {SAMPLES:,} each\n\n| guess | refused after | / first |\n|---|---|---|")
    first = median(next(iter(found.values())))
    for kind, times in found.items():
        print(f"| {kind} | {microseconds(times)} | {median(times) / first:.3f} |")


if __name__ == "__main__":
    main()
