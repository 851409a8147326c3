"""Checks for particular requests: the WebSocket handshake, and GET requests that change something."""

import re
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from lab.errors import BadHandshake, Forbidden, UpgradeRequired
from lab.techniques.stream import options

TOO_FAST, MOST_REFUSALS = 4029, 50
"""The lab's own close code for a WebSocket that exceeds its send rate too often."""


VERSION = "13"
KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
"""Sixteen bytes in Base64 (RFC 6455 section 4.2.1)."""


def require_handshake(request: HTTPServerRequest) -> None:
    """For paths that speak WebSocket, as RFC 6455 sections 4.2.1 and 4.2.2 want it.

    Raises `UpgradeRequired` for a request that asks for no WebSocket of this version, `BadHandshake` for one
    that does and is wrong in another way.
    """
    headers = request.headers
    wanted = request.version != "HTTP/1.0" and headers.get("Upgrade", "").lower() == "websocket"
    if not wanted or headers.get("Sec-WebSocket-Version") != VERSION or "Sec-WebSocket-Key" not in headers:
        raise UpgradeRequired("This path needs a WebSocket handshake, version 13.")
    if "upgrade" not in options(request):
        raise BadHandshake("A handshake must have Upgrade among the options of its Connection line.")
    if not KEY.fullmatch(headers["Sec-WebSocket-Key"]):
        raise BadHandshake("Sec-WebSocket-Key must be sixteen bytes in Base64.")


def refuse_foreign(request: HTTPServerRequest) -> None:
    """A GET that changes something must come from the lab's own pages, or from no browser at all.

    Raises `Forbidden`. A browser that sends neither `Sec-Fetch-Site` nor `Referer` is refused too.
    """
    site = request.headers.get("Sec-Fetch-Site")
    referer = request.headers.get("Referer")
    if site is not None:
        own = site in ("same-origin", "none")
    elif referer is not None:
        own = urlsplit(referer).netloc == request.host
    else:
        own = not request.headers.get("User-Agent", "").startswith("Mozilla/")
    if not own:
        raise Forbidden("Messages are sent from the lab's own pages only.")
