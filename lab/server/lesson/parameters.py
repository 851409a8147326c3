"""Read the parameters of the teacher's actions: numbers within bounds, and words from a list."""

from collections.abc import Collection

from lab.errors import BadParameter
from lab.json_types import JsonObject


def number(wanted: JsonObject, name: str, usual: float, least: float, most: float) -> float:
    """A number, or the default when it is absent. Raises `BadParameter` outside its bounds."""
    value = wanted.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadParameter(f"{name} must be a number from {least:g} to {most:g}.")
    return value


def one_of(wanted: JsonObject, name: str, choices: Collection[str]) -> str:
    """One of these words. Raises `BadParameter` for any other."""
    value = wanted.get(name)
    if not isinstance(value, str) or value not in choices:
        raise BadParameter(f"{name} must be one of {', '.join(choices)}.")
    return value


def some_of(wanted: JsonObject, name: str, choices: Collection[str]) -> tuple[str, ...]:
    """Some of these words, in their own order; all when the parameter is absent. Raises `BadParameter`."""
    value = wanted.get(name, list(choices))
    if not isinstance(value, list) or not value or not set(map(str, value)) <= set(choices):
        raise BadParameter(f"{name} must be a list of some of {', '.join(choices)}.")
    return tuple(mode for mode in choices if mode in value)
