"""The server of metered streams: accepts and limits connections, and brings the meters up to date."""

import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.iostream import IOStream

from lab.meters import Meters
from lab.server.connections.body_limit import Arriving
from lab.server.connections.lingering_close import Lingering
from lab.server.connections.metered_stream import MeteredStream
from lab.server.connections.request_stream import HEAD_BYTES, gone
from lab.server.connections.socket_options import TURNED_AWAY, bound_the_cost, most_connections
from lab.settings import Settings

DRAIN_BYTES = 2**40
"""Longest body that is read and discarded, so that its client can still read the response."""


class MeteredServer(HTTPServer):
    """An HTTP server whose streams are metered and whose limits respond with the lab's error object."""

    def initialize(  # type: ignore[override]  # each server has arguments of its own
        self, application: Any, settings: Settings, meters: Meters
    ) -> None:
        """Make a server that does not listen yet."""
        super().initialize(
            application,
            max_body_size=DRAIN_BYTES,
            max_header_size=HEAD_BYTES,
            xheaders=settings.front is not None,  # then every client is nginx, which names its own
        )
        self.conn_params.header_timeout = None  # `close_overdue` checks all, without timers
        self.settings = settings
        self.meters = meters
        self.begins_poll: Callable[[MeteredStream, bytes], bool] | None = None
        self.open: set[MeteredStream] = set()
        self.lingering = Lingering(self._late)
        self.most = min(settings.limit("connections"), most_connections())
        self.addresses: Counter[str] = Counter()
        """How many connections each client address has open."""

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Accept a new connection: meter its stream and limit its cost."""
        if len(self.open) >= self.most + TURNED_AWAY:
            return stream.close()
        bound_the_cost(stream.socket)
        metered = self.metered(stream.socket, address[0])
        self.meters.total.connections += 1
        self.open.add(metered)
        self.addresses[metered.address] += 1
        super().handle_stream(metered, address)

    def metered(self, connection: socket.socket, address: str) -> MeteredStream:
        """The stream of one connection."""
        return MeteredStream(connection, self, address, max_buffer_size=self.max_buffer_size)

    def full(self, address: str) -> bool:
        """Whether one more connection, from this address, is one too many."""
        return len(self.open) >= self.most or self.addresses[address] >= self.settings.limit("per_address")

    def closed_by(self, stream: MeteredStream) -> None:
        """Forget a closed connection."""
        self.open.discard(stream)
        self.addresses[stream.address] -= 1
        if not self.addresses[stream.address]:
            del self.addresses[stream.address]

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """The connection is ready for a request, the first or the next."""
        stream: MeteredStream = request_conn.stream  # type: ignore[attr-defined]  # HTTP/1 has one
        stream.begin()
        return Arriving(super().start_request(server_conn, request_conn), stream, self.settings)

    def close_overdue(self, now: float) -> None:
        """Close overdue connections, and those whose client disconnected unnoticed; called every second."""
        for stream in [stream for stream in self.open if stream.overdue(now)]:
            stream.close_overdue()
        for blind in gone(stream for stream in self.open if stream.is_blind):
            blind.drop()

    async def close_all_connections(self) -> None:
        """Close all open connections at once."""
        await super().close_all_connections()
        self.lingering.stop()

    def _late(self, size: int) -> None:
        for meter in (self.meters.total, self.meters.other):
            meter.bytes_in += size

    def credit(self) -> None:
        """Bring the meters up to this moment."""
        for stream in self.open:
            stream.credit(stream.consumed)

    def credit_segments(self) -> None:
        """Bring the counts of TCP segments up to this moment."""
        for stream in self.open:
            stream.credit_segments()

    def reset(self) -> None:
        """Reset the meters to zero; bytes that are credited later still add up."""
        self.credit()
        self.credit_segments()
        self.meters.reset()
        for stream in self.open:
            stream.forget()
