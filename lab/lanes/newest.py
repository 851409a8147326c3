"""The newest exchange of several that has delivered a message; a poll that still waits has none."""

from collections.abc import Sequence

from lab.anatomy.units import PAYLOAD
from lab.json_types import JsonObject
from lab.lanes.capture import Capture

LOOKED_AT = 5
"""Of the newest requests so many are searched for a message."""


def with_message(captures: Sequence[Capture]) -> JsonObject | None:
    """The newest exchange with a message, else the newest; None when there is none. Takes milliseconds."""
    found = [capture.shown().as_json() for capture in captures[: -LOOKED_AT - 1 : -1]]
    return next((exchange for exchange in found if has_message(exchange)), found[0] if found else None)


def has_message(exchange: JsonObject) -> bool:
    """Whether a message was delivered in it."""
    return any(
        field["part"] == PAYLOAD for unit in exchange["units"] if not unit["came"] for field in unit["fields"]
    )
