"""What a client accepts, by its `Accept…` headers: names and their weights (RFC 9110 section 12.4.2)."""

import re
from functools import lru_cache

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
"""A value that may hold commas; no weight is written like this."""
WEIGHT = re.compile(r"0?(?:\.[0-9]*)?|1(?:\.0*)?")


@lru_cache(256)
def weights(header: str) -> dict[str, float]:
    """Every name in the header, in lower case, with its weight; 0 means that it is not acceptable.

    A member whose weight cannot be read is left out, and of two with one name the higher weight counts.
    """
    found: dict[str, float] = {}
    for member in QUOTED.sub("", header).split(","):
        name, *parameters = (part.strip().lower() for part in member.split(";"))
        weight = _weight(parameters)
        if name and weight is not None:
            found[name] = max(weight, found.get(name, 0.0))
    return found


def _weight(parameters: list[str]) -> float | None:
    pairs = (parameter.partition("=") for parameter in parameters)
    values = [value.strip() for name, _, value in pairs if name.strip() == "q"]
    if not values:
        return 1.0
    return float(f"0{values[0]}" if values[0][0] == "." else values[0]) if _is_weight(values[0]) else None


def _is_weight(text: str) -> bool:
    return text not in ("", ".") and bool(WEIGHT.fullmatch(text))


def takes(header: str, kind: str) -> bool:
    """Whether an `Accept` header asks for this media type by name, and for JSON no more than for it."""
    found = weights(header)
    family = kind.partition("/")[0] + "/*"
    asked = found.get(kind, found.get(family, 0.0))
    json = found.get("application/json", found.get("application/*", found.get("*/*", 0.0)))
    return asked > 0 and asked >= json


def wish(header: str, tag: str) -> float:
    """The weight of this language in an `Accept-Language` header (RFC 4647 section 3.4); below 0 if absent.

    The longest range that the tag is in decides; a related tag, such as zh-TW for zh-CN, counts as a range.
    """
    found, parts = weights(header), tag.lower().split("-")
    ranges = ["-".join(parts[:size]) for size in range(len(parts), 0, -1)]
    mine = [found[one] for one in ranges if one in found][:1]
    related = [weight for one, weight in found.items() if one.split("-")[0] == parts[0] and one not in ranges]
    return max([*mine, *related], default=found.get("*", -1.0))
