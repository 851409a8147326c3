"""Which names of users the lab shows on a sheet: every character can be seen and leaves the text around it
as it is."""

import re

UNSEEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U000e0000-\U000e0fff"
)
"""Characters that are not seen or change the direction of the text around them (UAX 9)."""
HALVES = r"\ud800-\udfff"
"""Halves of surrogate pairs, which are no characters; most descriptions of patterns cannot name them."""
LONGEST_NAME = 100
"""Characters of a name where usernames have no limit."""


def name_pattern(unseen: str) -> str:
    """The pattern of a name: it begins and ends with a character that can be seen."""
    return rf"[^\s{unseen}]([^{unseen}]*[^\s{unseen}])?"


NAME = re.compile(name_pattern(UNSEEN + HALVES))


def name_or_empty(text: object, limit: float) -> str:
    """The text if it is such a name, within the limit of characters; otherwise the empty string."""
    fits = isinstance(text, str) and len(text) <= min(limit, LONGEST_NAME)
    return str(text) if fits and NAME.fullmatch(str(text)) else ""
