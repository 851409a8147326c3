"""A client's link to the lab: its connection, its header fields, and its cursor.

It knows nothing of the techniques; they use it to send requests, and pass it the events.
"""

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

import aiohttp
from yarl import URL

from lab.clients.silence import Silence
from lab.json_types import JsonObject
from lab.tls import trusting

Event = JsonObject
Piece = TypeVar("Piece", bound=Hashable)
Parsed = TypeVar("Parsed")

SILENCE_S = 45.0
"""Three heartbeats of the server: an open stream that is silent for longer is dead."""
LONGEST_PAUSE_S = 8.0
"""Longest pause before reconnecting, in seconds: short, so that clients soon return to a restarted lab."""
FIRST_PAUSE_S = 0.5
ENDLESS = aiohttp.ClientTimeout(total=None, sock_connect=10)
"""For a response without end, which has a `Silence`: by `sock_read` aiohttp would start a timer for each
piece."""
MOST_SHARED = 64
"""Newest pieces of responses that are parsed once for all listeners of a process."""
NO_CLOSE_FRAME = 1006
AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

BROWSER = {
    "sec-ch-ua-platform": '"Linux"',
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/156.0.0.0 Safari/537.36",
    "sec-ch-ua": '"Not:A-Brand";v="8", "Chromium";v="156"',
    "sec-ch-ua-mobile": "?0",
    "Sec-Fetch-Site": "same-origin",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9",
}
"""The header fields of every request of Chromium 156 to 127.0.0.1, captured on 2026-11-20."""
FETCH = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
"""Its additional header fields for `fetch()`."""
JSON = {"Content-Type": "application/json"}
NEEDED = JSON.keys()
FRESH = {"Pragma": "no-cache", "Cache-Control": "no-cache"}
"""Its additional header fields for requests that bypass the cache."""


class Unframed(NamedTuple):
    """The content of a piece of a response: events in order, the cursor if any, and an incomplete rest."""

    events: list[Event]
    cursor: str | None = None
    rest: bytes = b""


def shared(parse: Callable[[Piece], Parsed]) -> Callable[[Piece], Parsed]:
    """Parse the same bytes once for all listeners of a process, which receive most messages alike.

    Each listener still reads every byte, and compares it; none may change what it gets.
    """
    return lru_cache(MOST_SHARED, typed=True)(parse)


class Refused(Exception):
    """The lab refused a request, by `status` and `code`. A refused send is not stored, unless `unknown`."""

    def __init__(self, status: int, code: str, message: str, unknown: bool = False) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.unknown = unknown


class SentAway(Exception):
    """The lab closes and has sent the time to reconnect."""


class SocketClosed(aiohttp.ClientError):
    """A WebSocket was closed, with this code; 1006 when no close frame arrived (RFC 6455 section 7.1.5)."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"The WebSocket was closed with {code}.")
        self.code = code or NO_CLOSE_FRAME


@dataclass
class Link:
    """One client of the lab. Use it as `async with`; `hear` is called with received events."""

    url: str
    on_events: Callable[[list[Event]], None] = lambda events: None
    after: str | None = None
    interval: float = 1.0
    """Seconds that a short poller waits after each response."""
    hold: float = 25.0
    """Seconds that a long poller is willing to wait."""
    browser: bool = True
    """Whether to send the header fields of a browser, or as few as HTTP allows."""
    keep_alive: bool = True
    compress: bool = False
    """Whether a WebSocket's messages may be compressed."""
    subprotocol: str | None = None
    """What a WebSocket speaks inside its frames: "json" or "binary"; None: no subprotocol is offered."""
    client: str | None = None
    """The id that its requests carry for presence, and for a balancer; None: they carry none."""
    certfile: str | None = None
    """The file of the trusted certificate, when the lab is reached by https."""
    asks: Callable[[], None] = lambda: None
    """Called when a request is sent."""
    accepts: Callable[[], None] = lambda: None
    """Called when a response begins that is no error."""
    fails: Callable[[Exception], None] = lambda error: None
    """Called by `keep_receiving` when a request failed or its connection has ended."""
    socket: "aiohttp.ClientWebSocketResponse | None" = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    silence: Silence = field(default_factory=lambda: Silence(SILENCE_S))
    """Ends a stream on which nothing arrives."""
    _retry_s: float | None = None

    async def __aenter__(self) -> "Link":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.socket is not None:
            await self.socket.close()
        await self.session.close()

    @cached_property
    def session(self) -> aiohttp.ClientSession:
        """This client's own connection."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, force_close=not self.keep_alive, ssl=trust(self.certfile)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENCE_S),
            skip_auto_headers=AUTOMATIC,
            raise_for_status=self._answered,
        )

    async def _answered(self, answer: aiohttp.ClientResponse) -> None:
        """Called by aiohttp with the head of each response; an error is raised where it is read."""
        if answer.status < 400:
            self.accepts()

    def request(
        self, method: str, path: str, headers: dict[str, str], **options: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request, with the header fields of a browser or as few as possible."""
        sent = self.words(headers)
        if not self.keep_alive:
            sent["Connection"] = "close"
        self.asks()
        return self.session.request(method, URL(self.url + path, encoded=True), headers=sent, **options)

    @asynccontextmanager
    async def stream(self, path: str, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response without end, whose pieces `received` takes.

        Raises `Refused`, and `TimeoutError` after `SILENCE_S` without a piece.
        """
        async with self.silence, self.request("GET", path, headers, timeout=ENDLESS) as answer:
            yield await accepted(answer)

    def words(self, headers: dict[str, str]) -> dict[str, str]:
        """The header fields of a request: the browser's and these, or only those that the lab needs."""
        if not self.browser:
            return {name: value for name, value in headers.items() if name in NEEDED}
        return {"Connection": "keep-alive"} | BROWSER | headers | {"Referer": self.url + "/"}

    def query(self, **parameters: object) -> str:
        """A query with this client's cursor and these parameters."""
        own = {"after": self.after, "client": self.client}
        given = parameters | {name: value for name, value in own.items() if value}
        return "?" + "&".join(f"{name}={value}" for name, value in given.items()) if given else ""

    def received(self, news: Unframed) -> bytes:
        """Store the cursor, pass the events on, and return the incomplete rest. Raises `SentAway`."""
        self.silence.received()
        self.after = news.cursor or place_after(news.events, self.after)
        if news.events:
            self.on_events(news.events)
        for event in news.events:
            if event["type"] == "bye":
                self._retry_s = event["retry_ms"] / 1000
                raise SentAway
        return news.rest

    @property
    def origin(self) -> str:
        """The origin of a page of this lab: its URL without a path (RFC 6454 section 6.2)."""
        return str(URL(self.url).origin())

    async def post(self, path: str, message: dict[str, str]) -> JsonObject:
        """Send a message as JSON. Returns `{"id", "duplicate"}`; raises `Refused`."""
        headers = FETCH | JSON | {"Origin": self.origin}
        async with self.request("POST", path, headers, data=compact(message)) as answer:
            await accepted(answer)
            stored: JsonObject = await answer.json()
            return stored

    async def pause(self, failures: int) -> None:
        """Wait before reconnecting: the server's time, else a random one that grows with each failure."""
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**failures)
        await asyncio.sleep(self._retry_s if self._retry_s is not None else random.uniform(0, longest))
        self._retry_s = None


def trust(certfile: str | None) -> "ssl.SSLContext | bool":
    """The certificates that aiohttp trusts: the one in this file, else those of the system."""
    return trusting(certfile) if certfile else True


async def accepted(answer: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """The response, if it is no error. Raises `Refused`."""
    if answer.status >= 400:
        text = await answer.text()
        try:
            parsed = json.loads(text)
            error = parsed["error"]
        except (ValueError, KeyError, TypeError):  # an error of a proxy in between
            parsed, error = {"stored": "unknown"}, {"code": "error", "message": text[:200]}
        raise Refused(answer.status, error["code"], error["message"], parsed.get("stored") == "unknown")
    return answer


def compact(message: dict[str, str]) -> bytes:
    """JSON as a browser's `JSON.stringify` writes it."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def place_after(events: list[Event], place: str | None) -> str | None:
    """The cursor after these events, for a client whose cursor was `place`."""
    ids = [event["id"] for event in events if event["type"] in ("message", "reset")]
    return ids[-1] if ids else place
