"""Check values of conditions: convert them to plain numbers, or refuse them in one sentence.

A notebook may pass a NumPy integer, a Decimal, or an array of no dimensions. A number becomes a plain `int`
or `float`, so that a record of the run can be written as JSON. Any other value is refused, `True` and `"3"`
too, because both are usually mistakes.
"""

from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any

from lab.errors import BadParameter, hint

LONGEST = 60
"""Characters of a refused value that its refusal repeats."""


def number(name: str, value: object, least: float, most: float) -> float:
    """A number of any type as a float. Raises `BadParameter` unless it lies from `least` to `most`."""
    found = _real(value)
    if found is None or not least <= found <= most:
        raise BadParameter(f"{name} must be a number from {least:g} to {most:g}, not {quoted(value)}.")
    return float(found)


def whole(name: str, value: object, least: int, most: int) -> int:
    """A whole number of any type as an int; 20.0 is one. Raises `BadParameter` for any other value."""
    found = _real(value)
    if found is None or not least <= found <= most or found != int(found):
        raise BadParameter(f"{name} must be a whole number from {least} to {most}, not {quoted(value)}.")
    return int(found)


def truth(name: str, value: object) -> bool:
    """True or False, also as NumPy's, 1 or 0. Raises `BadParameter` for any other value, such as "no"."""
    found = _plain(value)
    if not isinstance(found, int) or found not in (0, 1):
        raise BadParameter(f"{name} must be True or False, not {quoted(value)}.")
    return bool(found)


def one_of(name: str, value: object, choices: Collection[str]) -> str:
    """One of these words. Raises `BadParameter`, with the word that is most like it."""
    if not isinstance(value, str) or value not in choices:
        raise BadParameter(
            f"{name} must be one of {', '.join(choices)}, not {quoted(value)}.{hint(value, choices)}"
        )
    return str(value)


def quoted(value: object) -> str:
    """The `repr` of a value, shortened when it is long."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # `repr` of any type may fail; or a number has too many digits
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _real(value: object) -> Any:
    """The value as a number that can be compared; None when it is no number, or nan."""
    found = _plain(value)
    if isinstance(found, bool) or not isinstance(found, (Real, Decimal, Fraction)):
        return None
    if isinstance(found, Decimal) and found.is_nan():  # a signalling one cannot even be compared
        return None
    return found


def _plain(value: object) -> object:
    """A scalar of NumPy (or one that behaves as such) as Python's own; anything else as it is."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    return value
