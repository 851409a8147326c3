"""The server with TLS: bytes are metered before encryption, and the bytes that TLS adds are counted apart."""

import socket
import ssl
import struct
from contextlib import suppress
from typing import Any

from tornado.iostream import IOStream, SSLIOStream

from lab.server.connections.metered_server import MeteredServer
from lab.server.connections.metered_stream import MeteredStream

BYTES_RECEIVED, NOTSENT_BYTES, BYTES_SENT = 128, 144, 200
"""Where Linux' struct tcp_info keeps these; tcpi_bytes_retrans follows the last."""
CLOSE_WAIT = 8
"""TCP states after the peer's FIN, which the kernel counts as one more byte received."""


class SecureStream(MeteredStream, SSLIOStream):
    """A metered stream whose bytes are encrypted on their way from and to the socket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._added = 0

    def credit(self, *args: Any) -> None:
        """Credit the counted bytes, and the bytes that encryption has added."""
        super().credit(*args)
        if self.socket is not None:
            self._measure_records()

    def close_fd(self) -> None:
        """Close the socket, after reading the kernel's count of its bytes."""
        self._measure_records()
        super().close_fd()

    def _measure_records(self) -> None:
        passed = on_the_wire(self.socket)
        if passed is None or self.server.meters.tls_bytes is None:
            self.server.meters.tls_bytes = None
            return
        added = passed - self.bytes_in - self.bytes_out
        self.server.meters.tls_bytes += added - self._added
        self._added = added


class SecureServer(MeteredServer):
    """A metered server with TLS."""

    def initialize(  # type: ignore[override]  # each server has arguments of its own
        self, *args: Any, tls: ssl.SSLContext, **kwargs: Any
    ) -> None:
        """Make a server with this certificate that does not listen yet."""
        super().initialize(*args, **kwargs)
        self.tls = tls
        self.meters.encrypted = True

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Accept a new connection, unless the client has disconnected already."""
        with suppress(OSError):
            super().handle_stream(stream, address)

    def metered(self, connection: socket.socket, address: str) -> MeteredStream:
        """The stream of one connection, whose handshake goes on while it waits for its first request."""
        secure = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return SecureStream(secure, self, address, max_buffer_size=self.max_buffer_size)


def on_the_wire(connection: socket.socket) -> int | None:
    """Bytes that this connection has moved, both ways, by the kernel's count; None where it keeps none."""
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        (received,) = struct.unpack_from("Q", info, BYTES_RECEIVED)
        (unsent,) = struct.unpack_from("I", info, NOTSENT_BYTES)
        sent, again = struct.unpack_from("QQ", info, BYTES_SENT)
    except (AttributeError, OSError, struct.error):
        return None
    return int(received - (info[0] == CLOSE_WAIT) + sent - again + unsent)
