"""A page that can load no file, because the lab refuses every request of this browser: its style is in it."""

import re
from base64 import b64encode
from hashlib import sha256

from lab import folders
from lab.errors import Overloaded, UnknownHost

CODES = (UnknownHost.code, Overloaded.code)
"""The errors that every other request of the browser would get too."""
DARK = re.compile(r'\[data-theme="dark"\] \{(.*?)\}', re.DOTALL)


def style() -> str:
    """The common style sheet; it is dark where the browser is, because no script chooses a theme. Raises
    `OSError`."""
    sheet = (folders.PAGES / "static/lab.css").read_text(encoding="utf-8")
    dark = "".join(DARK.findall(sheet))
    return f"{sheet}@media screen and (prefers-color-scheme: dark) {{ :root {{{dark}}} }}"


def source(sheet: str) -> str:
    """The style in a Content-Security-Policy (CSP Level 3, section 6.7.3.3): its digest, so no other is
    allowed."""
    return f"'sha256-{b64encode(sha256(sheet.encode()).digest()).decode()}'"
