"""Format figures for a reader: short, with their unit, and a dash for "not measured"."""

NOTHING = "–"
"""Stands for "not measured"."""


class Unknown(str):
    """A figure that is smaller than its error, so it is shown in grey."""

    __slots__ = ()


def count(value: float | None) -> str:
    """A whole number with separated thousands."""
    return NOTHING if value is None else f"{value:,.0f}"


def amount(value: float | None) -> str:
    """A whole number, in millions from a million on."""
    if value is None or value < 999_999.5:
        return count(value)
    return f"{value / 1e6:#.4g}".rstrip(".") + "M"


def percent(value: float | None) -> str:
    """A share as a percentage."""
    return NOTHING if value is None else f"{value:.0%}"


def off(measured: float | None, predicted: float | None) -> str:
    """How far a measurement is from its prediction, as a share of the prediction."""
    if measured is None or not predicted:
        return NOTHING
    return f"{measured / predicted - 1:+.0%}"


NEXT_TO_NOTHING_S = 0.01


def late(measured: float | None, predicted: float | None) -> str:
    """How far a time is from its prediction; in ms below 10 ms, where a share would mean little."""
    if measured is None or predicted is None or predicted >= NEXT_TO_NOTHING_S:
        return off(measured, predicted)
    return f"{1000 * (measured - predicted):+.0f}ms"


def times(value: float | None) -> str:
    """A factor, as 1.23x or 0.12x."""
    if value is not None and value < 1:
        return f"{value:.2f}x"
    return NOTHING if value is None else f"{value:#.3g}".rstrip(".") + "x"


def seconds(value: float | None) -> str:
    """A time in the unit in which it is best read."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0s"
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if value * scale >= 0.9995:  # from here on it reads as 1.00
            return f"{value * scale:#.3g}".rstrip(".") + unit
    return f"{value * 1e6:#.3g}".rstrip(".") + "µs"


def bits(value: float) -> str:
    """A bandwidth in the unit in which it is best read."""
    for unit, scale in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if value >= scale:
            return f"{value / scale:g} {unit}"
    return f"{value:g} bit/s"
