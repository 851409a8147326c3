"""What all techniques share on the server: attribution of bytes, refusals, presence and counting.

One base for Tornado's `RequestHandler` and `WebSocketHandler`; its response is in answering.py. Errors of the
lab become responses here and nowhere else.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, ClassVar, cast

from tornado.concurrent import future_add_done_callback
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from lab import errors
from lab.json_types import JsonObject
from lab.lanes.capture import stop_capture
from lab.lanes.sends import capture_exchange
from lab.meters import TechniqueMeters
from lab.room.messages import Batch, Cursor, Draft, compact
from lab.room.room import Room
from lab.techniques.answering import Response
from lab.techniques.context import Context
from lab.techniques.refusals import error_headers, error_json, guards, parse_json, require_json, status_of
from lab.techniques.stream import LONGEST_ID, MeteredStream, client_id, keeps_alive

LONGEST_NAME = 32
"""Characters of a username that presence shows."""


class Endpoint(Response):
    """The handler of a request; a technique's handler has its `mode`."""

    waits: ClassVar[bool] = True
    """A technique's request stays open until there is a message; else its response follows at once."""
    SUPPORTED_METHODS: tuple[str, ...] = ("GET", "HEAD")
    __slots__: tuple[str, ...] = ("_here", "asks", "client", "context", "empty", "keeps_alive")
    __slots__ += ("in_lane", "meter", "meters", "sending", "stream", "waiter")

    # Meters and presence ----------------------------------------------------------------------

    def initialize(self, context: Context) -> None:
        """Attribute the bytes of this request to a meter, before it can be refused."""
        self.ui.clear()  # only Tornado's templates need it, and it is a reference cycle
        self.context = context
        connection: Any = self.request.connection  # HTTP/1 has a stream, the interface does not
        self.stream = cast(MeteredStream, connection.stream)
        self.keeps_alive = keeps_alive(self.request)
        self.sending, self.asks = self.is_send(), self.request.method != "HEAD"
        stays_open = self.mode and self.waits and self.asks and not self.sending
        self.stream.brief = not stays_open and "Upgrade" not in self.request.headers
        self.meters = context.meters.techniques.get(self.mode) or TechniqueMeters()
        self.meter = self.meters.send if self.sending else self.meters.receive
        if not self.mode or not self.asks or self.request.method not in self.SUPPORTED_METHODS:
            self.meter = context.meters.other
        self.attribute(client_id(self.request))

    def attribute(self, client: str) -> None:
        """Count this request, and credit its bytes to its meter and to the account of its client."""
        self.meter.requests += 1
        self.stream.claim(self.meter)
        # Now, because the next read of the meters credits these bytes.
        if self.mode and self.asks and not self.sending:
            self.stream.account = self.context.accounts.get((client, self.mode))
        self.waiter: asyncio.Future[Any] | None = None
        self.in_lane = self.empty = False
        self._here: str | None = None
        self.client = ""

    def is_send(self) -> bool:
        """Whether this request sends; otherwise it receives."""
        return self.request.method == "POST"

    def prepare(self) -> Awaitable[None] | None:
        """Refuse a bad request; add a receiving client to presence, and check that its cursor is known."""
        if self.stream.closed():
            raise StreamClosedError  # already disconnected, and nothing else would notice it
        if not self.context.answers_to(self.request.host_name):
            raise errors.UnknownHost("This lab does not serve that host name; see --allow-host.")
        if self.stream.over_limit:
            raise errors.Overloaded("The lab has reached its limit of connections; try again in a moment.")
        self._bound_the_body()
        if self.mode and self.asks and not self.sending:
            self.arrive()
            if (after := self.after) and after > self.room.top:
                return self._catch_up(after)
        return None

    async def _catch_up(self, after: Cursor) -> None:
        await self.room.catch_up(after)
        if self.stream.closed():
            raise StreamClosedError  # disconnected while Redis was read

    def arrive(self) -> None:
        """Add the receiving client to presence and to the recorder."""
        client, now = self.query("client")[:LONGEST_ID], self.now()
        name = self.query("username")[:LONGEST_NAME]
        self._here = self.client = client
        self.meters.open += 1
        self.context.recorder.began(self, now)
        if client:
            self.context.presence.enter(client, name, self.mode, now)

    def depart(self) -> None:
        """The receiving request has ended: update presence and recorder. A second call does nothing."""
        if self._here is not None:
            now = self.now()
            self.meters.open -= 1
            self.context.recorder.ended(self, now)
            if self._here:
                self.context.presence.leave(self._here, now)
            self._here = None

    @property
    def listener(self) -> object:
        """The key of the client that sent this request: its own id, else its username, else its
        connection."""
        return self._here or self.query("username") or self.stream

    def on_finish(self) -> None:
        """The response is complete: the request has ended."""
        self.depart()
        if self.sending:
            stop_capture(self)

    def on_connection_close(self) -> None:
        """The client disconnected: cancel the pending wait."""
        self.depart()
        if self.waiter is not None:
            self.waiter.cancel()
        super().on_connection_close()

    # Reading the request ----------------------------------------------------------------------

    @property
    def room(self) -> Room:
        """The one room."""
        return self.context.room

    def query(self, name: str) -> str:
        """A value of the query; empty when it is absent."""
        return self.get_query_argument(name, "") if name in self.request.query_arguments else ""

    @property
    def after(self) -> Cursor | None:
        """The cursor in the request; None for a client that has none yet. Raises `BadCursor`."""
        text = self.query("after")
        if text == "latest":
            return self.room.top
        return Cursor.parse(text) if text else None

    @property
    def hold(self) -> float:
        """Seconds that the client wants to wait, at most the server's own limit."""
        text = self.query("hold")
        if not text:
            return self.context.settings.hold
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1
        if not seconds >= 0:
            raise errors.BadParameter("hold must be a number of seconds, 0 or more.")
        return min(seconds, self.context.settings.hold)

    async def whole_body(self) -> bytes:
        """The body, which a client that expects 100 Continue sends only now. Raises `BodyTooLarge`."""
        if self.stream.expected:
            self.request.body = await self.stream.expected.read()
            self._bound_the_body()
        return self.request.body

    def _bound_the_body(self) -> None:
        if self.stream.oversized:
            raise errors.BodyTooLarge(
                f"The body is too large; the limit is {self.context.settings.limit('body_bytes'):.0f} bytes."
            )

    # Responding -------------------------------------------------------------------------------

    def head(self, *args: Any, **kwargs: Any) -> Any:
        """What GET answers, without a body (RFC 9110 section 9.3.2), which Tornado leaves out."""
        return self.get(*args, **kwargs)

    def answer(self, body: bytes, batch: Batch) -> None:
        """Finish a poll, and count its messages once all its bytes are sent."""
        if not self.asks:
            self.finish(body or None)
            return
        self.empty = not batch.events
        self.meter.empty += self.empty
        if self.get_status() == 200 and self.request.version == "HTTP/1.1" and not self.is_last:
            self.complete_head()
            self.send_at_once(body, lambda: self._fully_sent(batch))
        else:
            future_add_done_callback(self.finish(body or None), lambda _: self._fully_sent(batch))

    def _fully_sent(self, batch: Batch) -> None:
        if batch.events and not self.stream.truncated:
            self.count(batch, {self: self.now()}, timed=bool(self.query("after")))

    def count(self, batch: Batch, delivered_at: "DeliveredAt", timed: bool) -> None:
        """Count a batch for all endpoints that have sent it, each with its time; they share one meter.

        Old messages are not `timed`, and neither are those for a page in the background.
        """
        self.meter.messages += len(delivered_at) * len(batch.messages)
        self.meter.payload_bytes += len(delivered_at) * batch.payload_bytes
        hidden = self.context.presence.hidden
        visible = (
            {one: now for one, now in delivered_at.items() if one.client not in hidden}
            if hidden
            else delivered_at
        )
        for event in batch.messages if timed else ():
            if event.accepted_at:
                self.meter.delivery.add([now - event.accepted_at for now in visible.values()])
        for one in delivered_at:
            if one.in_lane:
                self.context.recorder.handed(one, batch, delivered_at[one], timed)

    now = staticmethod(time.monotonic)  # the clock of asyncio's event loops

    # Sending ----------------------------------------------------------------------------------

    async def post(self) -> None:
        """Accept a message as JSON and respond with its id, for techniques that have no other way to send."""
        require_json(self.request.headers)
        body = await self.whole_body()
        answer = await self.publish(parse_json(body), len(body))
        self.set_status(200 if answer["duplicate"] else 201)
        self.set_header("Content-Type", Endpoint.content_type)
        self.finish(compact(answer))

    async def publish(self, fields: object, payload_bytes: int) -> JsonObject:
        """Store what a client sends, and count it. Returns `{"id", "duplicate"}`."""
        limit = self.context.settings.limit
        if not isinstance(fields, dict):
            raise errors.BadJson("A message must be a JSON object.")
        draft = Draft.check(fields, limit("message_chars"), limit("username_chars"))
        self.context.send_rate.take(f"{self.request.remote_ip} {draft.username}", self.now())
        self.context.sends.begin(draft.mid)
        cursor, duplicate = await self.room.publish(draft)
        if not duplicate:
            self.keep_send(draft.mid)
        meter = self.meters.send
        meter.messages += not duplicate
        meter.payload_bytes += payload_bytes
        return {"id": str(cursor), "duplicate": duplicate}

    def keep_send(self, mid: str) -> None:
        """Keep the bytes of this request and of its response, for its sender and the teacher."""
        capture_exchange(self.context.sends, mid, self)

    def check_origin(self, origin: str) -> bool:
        """Refuse a WebSocket from a page of another site. Raises `Forbidden`."""
        raise errors.Forbidden("This WebSocket is for the lab's own pages only.")

    # Errors -----------------------------------------------------------------------------------

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Respond with an error; the status of the lab's own errors is chosen here."""
        error = kwargs.get("exc_info", (None, None))[1]
        super().send_error(status_of(error) or status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Respond with an error object; that of a send also states whether the message is stored."""
        error = kwargs.get("exc_info", (None, None))[1]
        self.set_header("Content-Type", Endpoint.content_type)
        self.set_header_fields(guards(self.request.protocol))
        self.set_header_fields(error_headers(error, status_code, self.SUPPORTED_METHODS))
        self.explain(error_json(error, status_code, self.sending))

    def explain(self, error: JsonObject) -> None:
        """Respond with an error object."""
        self.finish(compact(error))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log only errors of the lab, not bad requests and disconnections."""
        usual = isinstance(value, (HTTPError, StreamClosedError, asyncio.CancelledError))
        if not usual and status_of(value) is None:
            super().log_exception(typ, value, tb)


DeliveredAt = dict[Endpoint, float]  # endpoints that have sent a batch, and when (event loop's clock)
