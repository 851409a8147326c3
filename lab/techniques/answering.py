"""The response of an endpoint: its header fields, its end, and the response to a poll in one `send`.

What Tornado's `RequestHandler` keeps private and the lab needs is used in this file only
(tests/test_tornado_private.py):

- `_headers`, the header fields. Public methods set one field each; none lists, replaces or frees them all.
- `_write_buffer`, what is written and not sent. Tornado's own `clear` empties it too, but first makes header
  fields that the lab replaces, a formatted date among them, for every request.
- `_headers_written`, whether the head is sent, and `_finished`, whether the response is complete. `flush` and
  `finish` set them, and `send_at_once` does the work of both; no public method reads or sets them.

`finish` checks every header field again, writes head and body apart, and makes futures for both. Many long
polls are answered at once, so `send_at_once` builds and sends the response in one step. What holds:

- Only for a handler whose status is 200, by HTTP/1.1, on a connection that stays open.
- The handler's header fields are complete; `Content-Length` is added here.
- Every byte is the one that `finish` would send (tests/test_answering.py).
- Tornado learns that the response is finished, writes its line into the log, and reads the next request only
  when all bytes are sent.
"""

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

from tornado.concurrent import future_add_done_callback
from tornado.httputil import HTTPHeaders, format_timestamp
from tornado.web import RequestHandler

from lab.techniques.context import Context
from lab.techniques.refusals import guards
from lab.techniques.stream import MeteredStream

date = lru_cache(1)(format_timestamp)  # the Date header field, formatted once a second


class Response(RequestHandler):
    """The part of an endpoint that responds: it knows the head of a response and how it ends."""

    mode: ClassVar[str] = ""
    content_type: ClassVar[str] = "application/json"
    context: Context
    stream: MeteredStream
    keeps_alive: bool
    """The client wants the connection to stay open."""
    __slots__: tuple[str, ...] = ()

    # The head ---------------------------------------------------------------------------------

    def clear(self) -> None:
        """Begin the response again without header fields; the common ones are added when the head is sent."""
        self._headers = HTTPHeaders()
        self._write_buffer = []
        self.set_status(200)

    def set_default_headers(self) -> None:
        """Header fields of every response: no caching, no guessing of its type, no version of the server."""
        self._headers["Content-Type"] = self.content_type
        self._headers["Date"] = date(int(time.time()))
        self._headers["Cache-Control"] = "no-store, no-transform"
        self._headers["X-Content-Type-Options"] = "nosniff"
        if not self.mode:  # a technique's responses are no documents, and each byte is measured
            self.set_header_fields(guards(self.request.protocol))

    def set_header_fields(self, fields: dict[str, str]) -> None:
        """Set several header fields."""
        self._headers.update(fields)

    def complete_head(self) -> None:
        """Add the common header fields, once; a value that the handler has set takes precedence."""
        if "Date" in self._headers:
            return
        if self.is_last:
            also = ", Upgrade" if "Upgrade" in self._headers else ""
            self.set_header("Connection", f"close{also}")
        own, self._headers = self._headers, HTTPHeaders()
        self.set_default_headers()
        for name in own:
            self._headers.pop(name, None)
        for name, value in own.get_all():
            self._headers.add(name, value)

    def forget_headers(self) -> None:
        """Free the header fields, which a request that stays open for hours does not need any more."""
        sent = [self._headers] if self._headers_written else []
        for headers in (self.request.headers, *sent) if self.request.version == "HTTP/1.1" else ():
            headers.__init__()  # type: ignore[misc]  # `clear` would keep the tables, empty

    def compute_etag(self) -> str | None:
        """No hash of each response: where an entity tag is needed, the cursor is used."""
        return None

    # Sending it -------------------------------------------------------------------------------

    def flush(self, include_footers: bool = False) -> "asyncio.Future[None]":
        """Send what was written so far, after the head."""
        self.complete_head()
        return super().flush(include_footers)

    def finish(self, chunk: Any = None) -> "asyncio.Future[None]":
        """Complete the response; close the connection after it when the lab is closing or full."""
        self.complete_head()
        done = super().finish(chunk)
        if self.stream.expected:
            self.stream.expected.answered()
        if self.is_last:
            future_add_done_callback(done, lambda _: self.stream.close())
        return done

    def send_at_once(self, body: bytes, fully_sent: Callable[[], None]) -> None:
        """Send a complete response as `finish` would; `fully_sent` is called when all bytes are sent."""
        self._headers["Content-Length"] = str(len(body))
        self.mark_finished()
        self.send_whole(self.begin_head("200 OK"), body, fully_sent)

    def mark_finished(self) -> None:
        """Nothing more can be written."""
        self._finished = True

    def begin_head(self, status: str) -> bytes:
        """The status line and the header fields, which are sent now."""
        self._headers_written = True
        lines = "".join(f"{name}: {value}\r\n" for name, value in self._headers.get_all())
        return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1")

    def send_whole(self, head: bytes, body: bytes, fully_sent: Callable[[], None]) -> None:
        """Send a complete response, of which no header field is left to be made."""
        at_once = self.stream.send_answer(head, body)
        self.write_log()
        self.on_finish()

        def complete() -> None:
            self.end_request()
            fully_sent()

        if at_once:
            complete()
        else:
            future_add_done_callback(self.stream.write(b""), lambda _: complete())

    def write_log(self) -> None:
        """Write the line of this request into the log."""
        self.application.log_request(self)

    def end_request(self) -> None:
        """All bytes are sent: the next request of this connection may begin."""
        self.request.connection.finish()  # type: ignore[union-attr]  # a request that is served has one

    def take_written(self) -> bytes:
        """What `write` was given and is not sent; it is sent now."""
        written, self._write_buffer = b"".join(self._write_buffer), []
        return written

    @property
    def has_begun(self) -> bool:
        """Whether the head of the response is sent."""
        return self._headers_written

    def has_field(self, name: str) -> bool:
        """Whether the response has a header field of this name so far."""
        return name in self._headers

    @property
    def is_last(self) -> bool:
        """Whether the connection closes after this response: by the client's wish, or the lab closes or is
        full."""
        over = self.context.draining or self.stream.over_limit or self.stream.last
        return over or not (self.keeps_alive or self.get_status() == 101)

    def end_connection(self) -> None:
        """Close the connection after this response, and send no `keep-alive` to an HTTP/1.0 client."""
        self.keeps_alive = False
        self.request.headers.pop("Connection", None)
