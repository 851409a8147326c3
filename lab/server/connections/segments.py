"""TCP segments of a connection, as the kernel counts them (Linux, `TCP_INFO` of tcp(7), since 4.2).

A segment is a packet of TCP: its headers of IP and TCP, and up to some thousand bytes of data, or none (an
acknowledgement alone). The meters count the bytes of data; here are the packets around them.
"""

import socket
import struct
import sys

from lab.meters import Segments

REPORTED = sys.platform == "linux"
"""Whether this system reports them, in this form."""
OPTIONS_AT, SEGMENTS_AT = 5, 136
"""Where `tcpi_options` and `tcpi_segs_out`, `tcpi_segs_in` stand in `struct tcp_info` (linux/tcp.h)."""
WHOLE = 144
TIMESTAMPS = 1
"""The bit of `tcpi_options`: each segment carries timestamps (RFC 7323)."""
IP_HEAD = {socket.AF_INET: 20, socket.AF_INET6: 40}
TCP_HEAD, TIMESTAMPS_BYTES = 20, 12
HANDSHAKE_OPTIONS = 8
"""Bytes of options that SYN and SYN-ACK have beyond the timestamps: segment size, window scale, SACK."""


def segments(connection: socket.socket) -> Segments | None:
    """The segments of an accepted connection so far; None where the system does not report them.

    The kernel counts the client's SYN and not the SYN-ACK, which is sent before there is a connection.
    """
    if not REPORTED:
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, WHOLE)
        sent, came = struct.unpack_from("=II", info, SEGMENTS_AT)
    except (OSError, struct.error):
        return None
    timestamps = TIMESTAMPS_BYTES if info[OPTIONS_AT] & TIMESTAMPS else 0
    each = IP_HEAD[connection.family] + TCP_HEAD + timestamps
    return Segments(came, sent + 1, (came + sent + 1) * each + 2 * HANDSHAKE_OPTIONS)
