"""Values of the lesson as text in the user's language; the same as pages/static/written.js and i18n.js."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from lab.catalogue import TECHNIQUES
from lab.json_types import JsonObject

NONE = "–"
"""What was not measured is shown so, and never as 0."""
Text = Callable[..., str]
"""The texts of a language: given a key and values."""


def number(value: float | None, text: Text, digits: int = 1) -> str:
    """A number with at most so many digits after the point; a half is rounded up, as browsers do."""
    if value is None:
        return NONE
    found = f"{Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):,}"
    found = found.rstrip("0").rstrip(".") if "." in found else found
    return found.translate({ord(","): text("number.group"), ord("."): text("number.point")})


def written(value: float | None, unit: str, text: Text) -> str:
    """A value in the unit of a question: `count`, `bytes`, `s` or `share`."""
    if value is None:
        return NONE
    if unit == "share":
        return text("number.percent", n=number(100 * value, text, 1 if value < 0.1 else 0))
    if unit == "bytes":
        size, name = (value, "bytes") if value < 1000 else (value / 1000, "kilobytes")
        return text(f"unit.{name}", n=number(size, text, 0 if value < 1000 else 1))
    if unit == "s" and value < 10:
        return text("unit.milliseconds", n=number(1000 * value, text, 1 if value < 0.1 else 0))
    return text("unit.seconds", n=number(value, text)) if unit == "s" else number(value, text)


def sentence(found: JsonObject, text: Text, title: Callable[..., str]) -> str:
    """A sentence of the lab: the key of a text, and its values, written as the ends of their names say."""
    values: dict[str, str] = {}
    for name, value in found["values"].items():
        unit = name.rpartition("_")[2]
        is_title = unit == "title"
        values[name] = title(TECHNIQUES[value]) if is_title else written(value, unit, text)
    return text(found["key"], **values)
