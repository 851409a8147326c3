"""The forever iframe, or Comet: a page in a hidden frame that never finishes loading.

    client                       server
      |── <iframe src=?after=7> ───>|
      |<──── <!doctype html>… ──────|      the page begins, and never ends
      :                             :   <- message 8 arrives
      |<── <script>recv(8)</script> |      the browser runs each script as it arrives
      |<── <script>recv(9)</script> |

Costs one request, 512 bytes at the start and a script element around each message. The browser shows the page
as loading all the time. No standard: browsers run scripts before the page is complete (RFC 6202 section 3).
"""

import secrets

from lab.room.messages import Batch, Event
from lab.techniques.endpoint import Endpoint
from lab.techniques.streaming import stream

FIRST_BYTES = 512
"""WebKit parses a page only after so many bytes, because it first detects the type of the content.

Measured in WebKitGTK 2.50, by HTTP/1.0 and 1.1, with and without charset and nosniff: a page of 511 bytes
waits for more, one of 512 does not. EventSource, fetch and XMLHttpRequest get their first byte at once.
WebKit bug 252413 reports pages that Safari, and so every browser of an iPhone, shows late. Safari itself
was not tried.
"""
PAGE = b"<!doctype html><meta charset=utf-8><title>push</title>\n<!-- WebKit waits for 512 bytes. -->"
PREAMBLE = PAGE.ljust(FIRST_BYTES - 1) + b"\n"
"""The beginning of the page, padded with spaces, once per connection."""
HEARTBEAT = b"<!-- -->\n"
NONCE_BYTES = 16
"""A fresh number per page: only scripts that carry it may run, so no message can become one."""
SCRIPT = b'<script nonce="' + b" " * len(secrets.token_urlsafe(NONCE_BYTES)) + b'">'
"""The start of each script element, with space for the nonce of its page."""
POLICY = "default-src 'none'; script-src 'nonce-{}'; frame-ancestors 'self'"
ESCAPES = {"&": b"\\u0026", "<": b"\\u003c", ">": b"\\u003e", "\u2028": b"\\u2028", "\u2029": b"\\u2029"}
"""What could end the script element or its line, written so that JSON and JavaScript both still read it."""


def frame(batch: Batch) -> bytes:
    """One script element per event, each calling the parent page's one fixed function."""
    return b"".join(SCRIPT + b"parent.pushlab(" + _safe(event) + b")</script>\n" for event in batch.events)


def _safe(event: Event) -> bytes:
    json = event.json
    for raw, escaped in ESCAPES.items():
        json = json.replace(raw.encode(), escaped)
    return json


class Iframe(Endpoint):
    """Stream: the events after my cursor, without end."""

    mode = "iframe"
    content_type = "text/html; charset=utf-8"
    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    async def get(self) -> None:
        """Begin the page at once, then send every later event."""
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        script = SCRIPT.replace(b" " * len(nonce), nonce.encode())
        self.set_header("Content-Security-Policy", POLICY.format(nonce))
        self.set_header("X-Accel-Buffering", "no")
        await stream(self, frame, PREAMBLE, HEARTBEAT, seal=lambda page: page.replace(SCRIPT, script))


ROUTES = [("/iframe", Iframe)]
