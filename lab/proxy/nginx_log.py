"""The error log of nginx, line by line: what went wrong, and with which request."""

import re
from typing import NamedTuple

COMPLAINT = re.compile(r"\S+ \S+ \[(?P<level>\w+)\] \d+#\d+: (?:\*\d+ )?(?P<text>.*?)(?:, client: .*)?")
REQUEST = re.compile(r', request: "(?P<request>[^"]*)"')


class Complaint(NamedTuple):
    """One line of nginx's error log: its level, its text, and the request that it is about, if any."""

    level: str
    text: str
    request: str | None


def complaints_in(text: str) -> list[Complaint]:
    """The lines of an error log."""
    found = [(line, COMPLAINT.fullmatch(line)) for line in text.splitlines()]
    return [_complaint(line, match) for line, match in found if match]


def _complaint(line: str, match: re.Match[str]) -> Complaint:
    request = REQUEST.search(line)
    return Complaint(match["level"], match["text"], request and request["request"])
