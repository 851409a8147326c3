"""A poll that the stream has recognised: a technique's handler without what Tornado prepares for any request.

Parsing a request and making a handler for it cost more than all that a poll does. So for a plain poll the
lab makes an object of the same class, on which the technique's own `get` runs, and leaves out what `get` does
not use. When something does use it (a header field that is changed, `self.request`, `self.write`), it is
made at that moment, by Tornado's own constructor: the object is then `whole`.

Its responses are the same bytes that Tornado would send (tests/test_quick_polls.py).
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from copy import copy
from http.client import responses
from types import SimpleNamespace
from typing import Any, Protocol

from tornado.concurrent import future_add_done_callback
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, RequestHandler

from lab.errors import LabError
from lab.room.messages import Batch
from lab.techniques.context import Context
from lab.techniques.endpoint import Endpoint
from lab.techniques.stream import LONGEST_ID

EMPTY = (204, 304)
"""Statuses of responses that have no body (RFC 9110 section 6.4.1)."""
MOST_HEADS = 64
HEADS: dict[tuple[Any, ...], bytes] = {}
"""Heads of responses that many clients receive in the same second, by all that they depend on."""


class RecognisedPoll(Protocol):
    """What was recognised of a request (lab/server/connections/polls.py)."""

    @property
    def start_line(self) -> RequestStartLine:
        """Its method, target and version."""

    @property
    def path(self) -> str:
        """Its path."""

    @property
    def arguments(self) -> dict[str, str]:
        """Its query; no value has an escape."""

    @property
    def headers(self) -> HTTPHeaders:
        """Its header fields, which other requests share."""


class QuickPoll(Endpoint):
    """A handler of a poll that is made of the recognised request alone."""

    def __init__(
        self, application: Application, context: Context, stream: Any, asked: RecognisedPoll, path: str
    ) -> None:
        # Not Tornado's constructor: it runs when something needs the whole handler.
        self.whole = self.chunked = self.responded = False
        self.made_of = application, asked, path
        self.arguments = asked.arguments
        self.fields: dict[str, str] = {}
        self.context, self.stream = context, stream
        self.keeps_alive = self.asks = True
        self.sending = False

    def __getattr__(self, name: str) -> Any:
        """What only a whole handler has."""
        if self.whole:
            raise AttributeError(name)
        self.make_whole()
        return getattr(self, name)

    def make_whole(self) -> None:
        """Make what Tornado makes for every request, and set the header fields that `get` has set."""
        self.whole = True
        application, asked, path = self.made_of
        connection: Any = SimpleNamespace(stream=self.stream, set_close_callback=lambda callback: None)
        connection.context = SimpleNamespace(remote_ip=self.stream.address, protocol="http")
        request = HTTPServerRequest(
            start_line=asked.start_line, headers=copy(asked.headers), connection=connection
        )
        request.path = path
        RequestHandler.__init__(self, application, request)
        for name, value in self.fields.items():
            self.set_header(name, value)

    def initialize(self) -> None:  # type: ignore[override]  # has its context already
        """Do what every endpoint does while Tornado makes it; `begin` does the rest."""
        self.ui.clear()

    # A request, from its beginning to its end --------------------------------------------------

    def can_begin(self) -> bool:
        """Whether its cursor and its hold are good, and this process knows the cursor."""
        try:
            _, after = self.hold, self.after
        except LabError:
            return False  # Tornado's way responds with the error
        return not after or after <= self.room.top

    def begin(self) -> None:
        """Attribute the bytes of this request to its meter, and run the technique's `get`."""
        self.stream.brief = not self.waits
        self.meters = self.context.meters.techniques[self.mode]
        self.meter = self.meters.receive
        self.attribute(self.query("client")[:LONGEST_ID])
        self.arrive()
        try:
            waits: Awaitable[None] | None = self.get()
        except Exception:
            self._failed()
            return
        if waits is not None:
            self.task = asyncio.create_task(self._finish_later(waits))
        elif not self.responded:
            self.finish()

    async def _finish_later(self, waits: Awaitable[None]) -> None:
        try:
            await waits
            if not self.responded:
                self.finish()
        except (Exception, asyncio.CancelledError):
            self._failed()

    def _failed(self) -> None:
        """As Tornado does: log the error, and respond with it unless the client has disconnected."""
        kind, error, trace = sys.exc_info()
        self.log_exception(kind, error, trace)
        if not self.stream.closed():
            self.send_error(500, exc_info=(kind, error, trace))

    # What `get` uses ----------------------------------------------------------------------------

    def query(self, name: str) -> str:
        """A value of the query; empty when it is absent."""
        return self.arguments.get(name, "")

    def get_query_argument(self, name: str, *default: Any, **options: Any) -> Any:
        """A value of the query, as Tornado returns it."""
        if name in self.arguments:
            return self.arguments[name]
        return super().get_query_argument(name, *default, **options)

    def check_etag_header(self) -> bool:
        """No: a request with a condition is not a quick one."""
        return False

    def set_header(self, name: str, value: Any) -> None:
        """Set a header field of the response."""
        if self.whole or type(value) is not str:
            super().set_header(name, value)
        else:
            self.fields[name] = value

    def forget_headers(self) -> None:
        """Keep the header fields of the request: other requests share them."""

    # Responding ---------------------------------------------------------------------------------

    def answer(self, body: bytes, batch: Batch) -> None:
        """Finish a poll, and count its messages once all its bytes are sent."""
        if self.whole or self.is_last:
            super().answer(body, batch)
            return
        self.empty = not batch.events
        self.meter.empty += self.empty
        self.send_whole(self._shared_head(len(body)), body, lambda: self._fully_sent(batch))

    def _shared_head(self, size: int) -> bytes:
        """The head of a response; it is made once a second for all that have the same fields and size."""
        key = (type(self), int(time.time()), size, *self.fields.items())
        head = HEADS.get(key)
        if head is None:
            if len(HEADS) >= MOST_HEADS:
                HEADS.clear()
            self.complete_head()
            self.set_header("Content-Length", size)
            head = HEADS[key] = self.begin_head("200 OK")
        return head

    def send_whole(self, head: bytes, body: bytes, fully_sent: Callable[[], None]) -> None:
        """Send a complete response, of which no header field is left to be made."""
        self.responded = True
        super().send_whole(head, body, fully_sent)

    def write_log(self) -> None:
        """Do nothing: while each request has a line in the log, no request is a quick one."""

    def end_request(self) -> None:
        """All bytes are sent: the next request of this connection may begin."""
        self.stream.poll_ends()

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Set the status of the response."""
        if not self.whole:
            self.make_whole()
        super().set_status(status_code, reason)
        self.status = f"{status_code} {reason or responses.get(status_code, 'Unknown')}"

    def flush(self, include_footers: bool = False) -> "asyncio.Future[None]":
        """Send what was written so far, after the head; in chunks when its length is not known."""
        self.complete_head()
        head, data = b"", self.take_written()
        if not self.has_begun:
            self.chunked = not self.has_field("Content-Length") and self.get_status() not in EMPTY
            if self.chunked:
                self.set_header("Transfer-Encoding", "chunked")
            head = self.begin_head(self.status)
        if self.chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            data += b"0\r\n\r\n" if include_footers else b""
        return self.stream.write(head + data)

    def finish(self, chunk: Any = None) -> "asyncio.Future[None]":
        """Complete the response; close the connection after it when the lab is closing or full."""
        if self.responded:
            raise RuntimeError("finish() called twice")
        self.complete_head()
        if chunk is not None:
            self.write(chunk)
        if not self.has_begun:
            self._length_of_body()
        done, self.responded = self.flush(include_footers=True), True
        self.mark_finished()
        self.on_finish()
        over = self.stream.close if self.is_last else self.end_request
        future_add_done_callback(done, lambda _: over())
        return done

    def _length_of_body(self) -> None:
        if self.get_status() in EMPTY:
            for name in ("Content-Encoding", "Content-Language", "Content-Type"):
                self.clear_header(name)
        elif not self.has_field("Content-Length"):
            written = self.take_written()
            self.write(written)
            self.set_header("Content-Length", len(written))
