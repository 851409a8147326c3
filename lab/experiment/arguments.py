"""Values of the command line's measuring options: read, or refused in one sentence before anything runs."""

import os
import re
from argparse import ArgumentTypeError

from lab.experiment.quantities import quoted
from lab.results.writing import check

UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
PLOTS = (".png", ".svg", ".pdf")
STANDARD_OUTPUT = "-"
DIGITS = r"\d+(?:\.\d*)?(?:e[+-]?\d+)?"
TIME = re.compile(rf"({DIGITS})(ms|s|m|h|)", re.ASCII)


def number(text: str) -> float:
    """Read a number such as 20, 20.0 or 1e3; a whole one stays whole."""
    for kind in (int, float):
        try:
            found: float = kind(text)
        except ValueError:
            continue
        if abs(found) < float("inf"):  # no nan either
            return found
    raise ArgumentTypeError(f"{quoted(text)} is not a number; write 20, 0.5 or 1e3")


def per_second(text: str) -> float:
    """Read a rate such as 2, 2/s, 30/m or 100/h; a plain number is per second."""
    amount, slash, unit = text.partition("/")
    if slash and unit not in ("s", "m", "h"):
        raise ArgumentTypeError(f"{quoted(text)} is not a rate; write 2, 2/s or 30/m")
    return number(amount) / UNITS[unit]


def seconds(text: str) -> float:
    """Read a duration such as 500ms, 10s, 2m or 1m30s; a plain number is seconds."""
    parts = list(TIME.finditer(text))
    if (
        not text
        or "".join(part[0] for part in parts) != text
        or (len(parts) > 1 and not all_have_units(parts))
    ):
        raise ArgumentTypeError(f"{quoted(text)} is not a duration; write 500ms, 10s, 2m or 1h")
    return sum(float(part[1]) * UNITS[part[2]] for part in parts)


def all_have_units(parts: list[re.Match[str]]) -> bool:
    """Whether each part of a duration has a unit, longest first: 1m30s, but not 1m30 or 3s1m."""
    sizes = [UNITS[part[2]] for part in parts]
    return all(part[2] for part in parts) and sizes == sorted(set(sizes), reverse=True)


def bits(text: str) -> float:
    """Read a bandwidth such as 1Mbit or 500kbit; a plain number is bits per second."""
    found = re.fullmatch(rf"({DIGITS})([kmg]?)(?:bit(?:/s)?)?", text.lower(), re.ASCII)
    if not found:
        raise ArgumentTypeError(f"{quoted(text)} is not a bandwidth; write 500kbit, 1Mbit or 0 for no limit")
    return float(found[1]) * PREFIXES[found[2]]


def new_file(text: str) -> str:
    """Check that this file can be written, before the run, which would be lost otherwise."""
    if reason := check(text):
        raise ArgumentTypeError(f"{quoted(text)} cannot be written: {reason}")
    return text


def output(text: str) -> str:
    """Check that this file can be written; - is standard output."""
    return text if text == STANDARD_OUTPUT else new_file(text)


def page_file(text: str) -> str:
    """Check that the report goes to a file that can be written, not to a terminal."""
    if text == STANDARD_OUTPUT:
        raise ArgumentTypeError("the report is written to a file; name one")
    return new_file(text)


def plot_file(text: str) -> str:
    """Check that this file can be written and that matplotlib supports its format."""
    if os.path.splitext(text)[1].lower() not in PLOTS:
        raise ArgumentTypeError(f"{quoted(text)} must end in {', '.join(PLOTS)}")
    return new_file(text)
