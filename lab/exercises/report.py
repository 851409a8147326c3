"""Reports to the teacher's lab: after each check how far the program came, and nothing of its code.

A report is sent in a thread: it never delays a check, and what goes wrong with it is one line.
"""

import http.client
import json
import threading
import time
from contextlib import closing, suppress
from queue import Empty, SimpleQueue
from urllib.parse import SplitResult, urlsplit

from lab.errors import BadParameter, Forbidden
from lab.exercises.mismatch import Said
from lab.exercises.progress import Record
from lab.exercises.steps import Result
from lab.json_types import JsonObject
from lab.tls import trusting

PATH = "/exercises/report"
SEND_S = 3.0
"""Seconds for a connection, and for its response."""
WAIT_S, LAST_WAIT_S = 1.0, 2 * SEND_S
"""Seconds that the terminal waits for what became of a report, after the result was shown; at the end of the
program, which would end the thread too, as long as sending may take."""
MOST_BYTES = 10_000
LONGEST = 200
SENT = "report.sent"


class Reporter:
    """Sends reports under one name to one lab."""

    def __init__(self, url: str, name: str, certfile: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.name = name.strip()
        self._parts = parsed(self.url)
        self._trusted = trusting(certfile) if certfile else None
        self._outcomes = SimpleQueue[Said]()
        self._one_at_a_time = threading.Lock()
        self._said: set[str] = set()
        self._open = 0
        """Reports of which it is not known what became of them."""

    def send(self, result: Result, record: Record) -> None:
        """Send a result in a thread."""
        self._open += 1
        threading.Thread(target=self._send, args=(self.as_json(result, record),), daemon=True).start()

    def as_json(self, result: Result, record: Record) -> JsonObject:
        """What is reported: no code, no bytes."""
        step = None if result.done else result.steps[result.passed]
        report: JsonObject = {"name": self.name, "exercise": result.name, "step": step}
        return report | {"passed": result.passed, "tries": record["tries"], "hints": record["hints"]}

    def _send(self, report: JsonObject) -> None:
        with self._one_at_a_time:
            self._outcomes.put(self._outcome(report))

    def _outcome(self, report: JsonObject) -> Said:
        try:
            status, answer = self._post(json.dumps(report).encode())
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return Said("report.unreachable", {"address": self.url, "reason": printable(reason)})
        if status == 200:
            return Said(SENT, {"name": self.name})
        code, message = error_of(status, answer)
        if code == Forbidden.code:
            return Said("report.closed")
        return Said("report.refused", {"message": message})

    def _post(self, body: bytes) -> tuple[int, bytes]:
        with closing(self._connection()) as connection:
            connection.request("POST", self._parts.path + PATH, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read(MOST_BYTES)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=SEND_S)
        return http.client.HTTPSConnection(host, port, timeout=SEND_S, context=self._trusted)

    def news(self, patience_s: float = WAIT_S) -> list[Said]:
        """What became of the reports: each kind once."""
        found = []
        until = time.monotonic() + patience_s
        with suppress(Empty):
            while self._open:
                said = self._outcomes.get(timeout=max(0.0, until - time.monotonic()))
                self._open -= 1
                found += [said] if said.key not in self._said else []
                self._said.add(said.key)
        return found


def parsed(url: str) -> SplitResult:
    """The parts of a lab's address. Raises `BadParameter`."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isprintable():
            return parts
    raise BadParameter(
        f"--report-to must be the address of a lab, such as http://192.168.1.5:8000, not {url!r}."
    )


def error_of(status: int, answer: bytes) -> tuple[str, str]:
    """Code and sentence in the error object of a lab; from another server only the status."""
    try:
        error = json.loads(answer)["error"]
        return str(error["code"]), printable(str(error["message"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return "", f"HTTP {status}"


def printable(text: str) -> str:
    """Text of another machine, so that it cannot do anything to a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:LONGEST]
