"""The forever iframe: the beginning of a page, then one script element per event (RFC 6202 section 3)."""

import re

from lab.anatomy import events
from lab.anatomy.units import FRAMING, Piece, Tiler, one_field

MEDIA_TYPE = "text/html"
MODES = ("iframe",)
PREAMBLE = re.compile(rb"<!doctype html>(?:(?!<script).){0,1000}?--> *\n", re.IGNORECASE | re.DOTALL)
HEARTBEAT = re.compile(rb"<!--.{0,1000}?-->\n?", re.DOTALL)
SCRIPT = re.compile(rb"(<script nonce=\"[^\"<]*\">)([\w$.]+\()([^<]*)(\))(</script>\n?)")
BEGINS = re.compile(rb"<(?:!doctype html>|!--|script nonce=)", re.IGNORECASE)


def dissect(data: bytes) -> list[Piece]:
    """One unit for the beginning of the page, and one per script or comment."""
    tiler, pieces = Tiler(data, 0), list[Piece]()
    while tiler.place < len(data):
        if not (found := _unit(tiler)):
            later = BEGINS.search(data, tiler.place + 1)
            found = one_field(data, tiler.place, later.start() if later else len(data))[0]
            tiler.place = found.fields[-1].end
        pieces.append(found)
    return pieces


def _unit(tiler: Tiler) -> Piece | None:
    """The unit that begins here; None when none does, or when it is not whole."""
    if script := SCRIPT.match(tiler.data, tiler.place):
        return _script(tiler, script)
    for pattern, kind, name in ((PREAMBLE, "preamble", "page-start"), (HEARTBEAT, "heartbeat", "comment")):
        if found := pattern.match(tiler.data, tiler.place):
            tiler.add(found.end(), FRAMING, name)
            return tiler.piece(kind)
    return None


def _script(tiler: Tiler, script: re.Match[bytes]) -> Piece:
    tiler.add(script.end(1), FRAMING, "script-open")
    tiler.add(script.end(2), FRAMING, "call-open")
    events.add_escaped(tiler, script.end(3), events.kind_in(script[3]))
    tiler.add(script.end(4), FRAMING, "call-end")
    tiler.add(script.end(5), FRAMING, "script-close")
    return tiler.piece("script")
