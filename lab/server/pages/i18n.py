"""The choice of a user's language, and its texts with their places filled; `lab.languages` reads them."""

import re

from lab.languages import ENGLISH, TAGS, catalogue, spoken
from lab.techniques.accept import weights, wish

LANGUAGES = TAGS
"""The available languages, English first."""
COOKIE = "lang"
FSI, PDI = "\u2068", "\u2069"
INITIATORS = "\u2066\u2067\u2068"
BREAKS = re.compile(r"[\n\r\x1c-\x1e\x85\u2029]")
"""Each ends a paragraph, and with it every isolate."""
PLAIN = re.compile(
    r"[\x20-\x7e\xa0-\u024f\u2010-\u2027\u202f-\u205e\u2190-\u22ff\u3000-\u3029\u4e00-\u9fff\uff00-\uffef]*"
)
"""Characters that do not change the direction of text: Latin, Chinese, and their punctuation."""


def text(language: str, key: str, **values: object) -> str:
    """One text with its places filled, each value isolated. Raises `KeyError` for an unknown key."""
    return catalogue(language)[key].format(**{name: isolated(value) for name, value in values.items()})


def isolated(value: object) -> str:
    """A text that cannot change the order of the text around it (UAX 9): between FSI and PDI, isolates
    closed.

    Plain text is returned unchanged. The same as `isolated` in pages/static/i18n.js.
    """
    text = str(value)
    if PLAIN.fullmatch(text):
        return text
    inside, opened = "", 0
    for sign in BREAKS.sub(" ", text):
        opened += sign in INITIATORS
        if sign != PDI or opened:  # one too many would end the isolate that is around the text
            inside += sign
            opened -= sign == PDI
    return FSI + inside + PDI * (opened + 1)


def chosen(asked: str, remembered: str, accepted: str) -> str:
    """The user's language: the one in the URL, else the remembered one, else the browser's."""
    return next((language for language in map(spoken, (asked, remembered)) if language), by_browser(accepted))


def by_browser(accepted: str) -> str:
    """The language with the highest weight in `Accept-Language` (RFC 9110 section 12.5.4), else English.

    Of two with the same weight it is the first; one that is not acceptable comes last.
    """
    wishes = {language: wish(accepted, language) for language in LANGUAGES}
    if max(wishes.values()) <= 0:
        return next((language for language, much in wishes.items() if much < 0), ENGLISH)
    named = [language for tag in weights(accepted) if (language := spoken(tag))]
    return max([*named, *LANGUAGES], key=wishes.__getitem__)
