"""WebSocket: after one HTTP handshake, a connection on which both sides send at any time.

    client                       server
      |── GET, Upgrade: websocket ─>|
      |<──── 101 Switching ─────────|      from here on no more HTTP: frames
      |<──── frame: message 8 ──────|      2 bytes of header, 4 from 126 bytes on
      |── frame: send, masked ─────>|      6 bytes of header: a client must mask
      |<──── frame: ack ────────────|

Costs one handshake, then 2 to 14 bytes of framing per message. RFC 6455; compression is RFC 7692.
"""

from typing import Any, cast

from lab.errors import LabError, TooManySends
from lab.json_types import JsonObject
from lab.lanes.capture import Capture
from lab.room.messages import Batch, mid_of
from lab.techniques.deflate import Packer
from lab.techniques.endpoint import DeliveredAt, Endpoint
from lab.techniques.guards import MOST_REFUSALS, TOO_FAST, require_handshake
from lab.techniques.protocol import CheckedHandler
from lab.techniques.refusals import error_json
from lab.techniques.streaming import Channel, Outlet
from lab.techniques.subprotocols import JSON, chosen, framing

HEARTBEAT = b"\x89\x00"
"""An empty ping frame; the client's library answers with a pong."""
RESTART = 1012, "restart"
"""Close code "service restart": reconnect later (IANA WebSocket close code registry)."""
frame = framing(JSON)
"""One text frame per event."""


class WebSocket(Endpoint, CheckedHandler):
    """Stream: the events after my cursor, without end; and sends on the same connection."""

    mode = "websocket"
    SUPPORTED_METHODS = ("GET",)
    spoken = JSON
    """The subprotocol that was agreed."""
    packer: Packer | None = None
    """Compresses what this client receives; None when all share the bytes, or nothing is compressed."""
    outlet: Outlet | None = None
    answering = False
    exchange: Capture | None = None
    """The bytes of the send that has just stored a message, until its ack is sent."""
    refusals = 0

    def is_send(self) -> bool:
        """Whether the query has `receive=0`: a socket that only sends."""
        return self.request.arguments.get("receive") == [b"0"]

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Check the handshake request and respond to it."""
        require_handshake(self.request)
        self.start = self.after
        self.spoken = chosen(self.request.headers.get("Sec-WebSocket-Protocol"))
        self.negotiate(compression=bool(self.context.settings.compress))
        await super().get(*args, **kwargs)

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """The subprotocol that the response names: none unless the client has offered it."""
        return self.spoken.name if self.spoken.name in subprotocols else None

    def open(self, *args: str, **kwargs: str) -> None:
        """The handshake is complete: join the channel of this framing."""
        shared = framing(self.spoken, self.agreement and self.agreement.window("server"))
        if self.agreement and self.agreement.server_may_refer_back and self.context.settings.keeps_window:
            self.packer = Packer(self.agreement.window("server"))
            shared = framing(self.spoken, unpacked=True)
        channel = Channel.of(self.context, shared, HEARTBEAT)
        self.outlet = Outlet(self, channel, self.packer.seal if self.packer else None)
        self.outlet.finished.add_done_callback(lambda _: self.hang_up())
        if self.sending:
            self.context.senders.add(self.outlet)
        else:
            self.outlet.begin(self.start)

    async def on_message(self, message: str | bytes) -> None:
        """Publish a client's message; the reply is an ack, or an error after which the socket stays open."""
        self.stream.reassign(self.received.wire_bytes, 0, self.meters.send)
        self.meters.send.frames_in += self.received.frames
        if self.refusals > MOST_REFUSALS:
            self.close(TOO_FAST, TooManySends.code)
        if self.ws_connection is None:
            return  # closed: no reply can be sent, so nothing is stored
        self.answering = True
        data = self.spoken.framed(await self.answer_to(message))
        if self.exchange:
            self.exchange.keep(False, data)
            self.exchange = None
        if self.outlet and self.outlet.send_one(data):  # else it is queued, and counts as receiving
            self.meters.send.frames_out += 1
            self.stream.reassign(0, len(data), self.meters.send)
        self.answering = False
        if self.context.draining:
            self.hang_up()

    def keep_send(self, mid: str) -> None:
        """Keep the client's frames as they came, and then the ack."""
        self.exchange = self.context.sends.add(mid, self.mode)
        self.exchange.keep(True, bytes(self.received.raw))
        self.exchange.skip(True, self.received.wire_bytes - len(self.received.raw))

    def hang_up(self) -> None:
        """The lab closes: close the socket, unless a reply to a send is pending."""
        if not self.answering:
            self.close(*RESTART)

    async def answer_to(self, message: str | bytes) -> JsonObject:
        """Store a message; returns the ack or the error object."""
        fields: object = None
        try:
            fields = self.spoken.parse(message)
            stored = await self.publish(fields, self.received.payload_bytes)
        except LabError as error:
            self.refusals += isinstance(error, TooManySends)
            return {"type": "error", "mid": mid_of(fields)} | error_json(error, 400, sending=True)
        self.meters.send.saved_bytes += self.received.saved_bytes
        return {"type": "ack", "mid": mid_of(fields)} | stored

    def count(self, batch: Batch, delivered_at: DeliveredAt, timed: bool) -> None:
        """Count a batch as it stands in the frames, and what compression saved; all have the same framing."""
        if self.spoken is not JSON:
            more = self.spoken.payload_bytes(batch) - batch.payload_bytes
            self.meter.payload_bytes += len(delivered_at) * more
        if self.packer:
            packers = (cast(WebSocket, one).packer for one in delivered_at)
            self.meter.saved_bytes += sum(packer.saved_bytes(batch) for packer in packers if packer)
        elif self.agreement:
            saved = self.spoken.saved_bytes(batch, self.agreement.window("server"))
            self.meter.saved_bytes += len(delivered_at) * saved
        super().count(batch, delivered_at, timed)

    def on_pong(self, data: bytes) -> None:
        """Count a pong, the reply to a heartbeat."""
        self.meter.frames_in += 1

    def on_ping(self, data: bytes) -> None:
        """Count a client's ping and the pong that Tornado has sent."""
        self.on_pong(data)
        self.meter.frames_out += 1

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close, and send nothing after the close frame (RFC 6455 section 5.5.1)."""
        if self.outlet:
            self.outlet.close()
        super().close(code, reason)

    def on_finish(self) -> None:
        """Nothing after a successful handshake, as the request goes on; a refused one has ended."""
        if self.get_status() != 101:
            super().on_finish()

    def on_close(self) -> None:
        """The connection is closed: leave the channel and presence."""
        if self.outlet:
            self.outlet.close()
            self.context.senders.discard(self.outlet)
        self.outlet = None  # it refers to this handler: as a circle both would wait for the cycle collector
        self.depart()


ROUTES = [("/websocket", WebSocket)]
