"""What a request must show before it is let in, beyond what every request must."""

from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from lab.errors import Forbidden, UpgradeRequired

TOO_FAST, MOST_REFUSALS = 4029, 50
"""Close code of the lab's own, for who has been refused so often on one socket for speaking too fast."""


def require_handshake(request: HTTPServerRequest) -> None:
    """For paths that speak WebSocket. Raises `UpgradeRequired` for a request that is no handshake."""
    headers = request.headers
    wanted = headers.get("Upgrade", "").lower() == "websocket" and headers.get("Sec-WebSocket-Key")
    if not wanted or headers.get("Sec-WebSocket-Version") != "13":
        raise UpgradeRequired("This path speaks WebSocket, version 13, and wants its handshake.")


def refuse_foreign(request: HTTPServerRequest) -> None:
    """A GET that changes something must come from the lab's own pages, or from no browser at all.

    Raises `Forbidden`. A browser that says neither where it fetches for nor who refers is refused too.
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
