"""The bytes of the newest sends: each request and its response, or a client's frames and the ack.

A send is found by its `mid`. The mid of a message is public as soon as the message is, so who may see the
bytes is not decided here.
"""

import asyncio
import time
from collections import OrderedDict
from typing import Any, TypeVar

from lab.json_types import JsonObject
from lab.lanes.capture import Capture, SendingSocket

KEPT_SENDS = 100
"""As many as messages in the history."""
FIRST_BYTES, NEWEST_BYTES = 3 * 1024, 1024
"""Bytes kept of each: the request, and at its end the response."""
KNOWN_MIDS = 1000

T = TypeVar("T")


class Sends:
    """The sends that stored a message, the newest of them by mid."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Capture] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._json: dict[Capture, tuple[int, JsonObject]] = {}

    def begin(self, mid: str) -> None:
        """A message with this mid is about to be stored: from now on it may be public."""
        keep_newest(self._known, mid, None, KNOWN_MIDS)

    def knows(self, mid: str) -> bool:
        """Whether a message with this mid was sent before, as far as is remembered."""
        return mid in self._known

    def add(self, mid: str, mode: str) -> Capture:
        """Begin to keep the send that has stored this message."""
        capture = Capture("", time.monotonic(), mode, FIRST_BYTES, NEWEST_BYTES)
        for old in keep_newest(self._kept, mid, capture, KEPT_SENDS):
            self._json.pop(old, None)
        return capture

    async def as_json(self, mid: str) -> JsonObject | None:
        """The bytes and units of a send; None when they are not kept. Dissected once, in a thread."""
        if (capture := self._kept.get(mid)) is None:
            return None
        if self._json.get(capture, (-1,))[0] != capture.kept:
            dissected = capture.kept, await asyncio.to_thread(capture.shown().as_json)
            if self._kept.get(mid) is not capture:
                return dissected[1]
            self._json[capture] = dissected
        return self._json[capture][1]


def keep_newest(kept: "OrderedDict[str, T]", key: str, value: T, most: int) -> list[T]:
    """Add an item as the newest, and remove the oldest above so many; returns those that went."""
    gone = [kept.pop(key)] if key in kept else []
    kept[key] = value
    return gone + [kept.popitem(last=False)[1] for _ in range(len(kept) - most)]


def capture_exchange(sends: Sends, mid: str, request: Any) -> None:
    """Keep the bytes of a request that has stored a message, and of its response while it is sent.

    Not of a body in chunks or one that came after 100 Continue, whose bytes the lab no longer has.
    """
    stream = request.stream
    if stream.closed() or stream.expected or "Transfer-Encoding" in request.request.headers:
        return
    capture = sends.add(mid, request.mode)
    capture.keep(True, stream.head)
    capture.keep(True, request.request.body)
    stream.socket = SendingSocket(stream.socket, capture)
