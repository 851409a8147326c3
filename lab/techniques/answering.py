"""The response to a poll in one `send`: the same bytes as Tornado's `finish`, with less work.

`finish` checks every header field again, writes head and body apart, and makes futures for both. Many long
polls are answered at once, so here the response is built and sent in one step. What holds:

- Only for a handler whose status is 200, by HTTP/1.1, on a connection that stays open.
- The handler's header fields are complete; `Content-Length` is added here.
- Every byte is the one that `finish` would send (tests/test_answering.py).
- Tornado learns that the response is finished, writes its line into the log, and reads the next request only
  when all bytes are sent.

Uses three private names of Tornado's `RequestHandler`: `_headers`, `_headers_written` and `_finished`. They
hold the header fields and the state that `finish` sets; no public method sets them without writing.
"""

from collections.abc import Callable

from tornado.concurrent import future_add_done_callback
from tornado.web import RequestHandler

from lab.techniques.stream import MeteredStream


def send_at_once(
    handler: RequestHandler, stream: MeteredStream, body: bytes, fully_sent: Callable[[], None]
) -> None:
    """Send a complete response; `fully_sent` is called when all bytes are sent."""
    handler._headers["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in handler._headers.get_all())
    handler._finished = handler._headers_written = True
    at_once = stream.send_answer(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1"), body)
    handler.application.log_request(handler)
    handler.on_finish()

    def complete() -> None:
        handler.request.connection.finish()  # type: ignore[union-attr]
        fully_sent()

    if at_once:
        complete()
    else:
        future_add_done_callback(stream.write(b""), lambda _: complete())
