"""A capture of the loopback: every packet of one TCP port, in both directions, as the network sees it."""

import ctypes
import socket
import struct
import threading
from collections import defaultdict
from typing import NamedTuple

ALL_PROTOCOLS, ATTACH_FILTER, OUTGOING = 3, 26, 4
BUFFER_BYTES = 2**22
PROGRAM = (
    (0xB1, 0, 0, 0),  # X = the length of the IP header
    (0x48, 0, 0, 0),  # A = the source port
    (0x15, 2, 0, None),  # ours: accept
    (0x48, 0, 0, 2),  # A = the destination port
    (0x15, 0, 1, None),  # ours: accept, else refuse
    (0x06, 0, 0, 0x40000),
    (0x06, 0, 0, 0),
)
"""A filter for the kernel (bpf(4)), so that other programs' packets do not fill the buffer."""


class Way(NamedTuple):
    """What one connection has sent in one direction."""

    packets: int = 0
    head_bytes: int = 0
    data: bytes = b""


class Capture:
    """Packets to and from a port of the loopback. Use it in `with`; wants the right to capture (root)."""

    def __init__(self, port):
        self.port = port
        self._ways = defaultdict(Way)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS))
        self._thread = threading.Thread(target=self._read)

    def __enter__(self):
        steps = [
            struct.pack("HBBI", *step[:3], self.port if step[3] is None else step[3]) for step in PROGRAM
        ]
        self._program = ctypes.create_string_buffer(b"".join(steps))
        address = ctypes.addressof(self._program)
        self._socket.setsockopt(
            socket.SOL_SOCKET, ATTACH_FILTER, struct.pack("HxxxxxxP", len(PROGRAM), address)
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.05)
        self._going = True
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._going = False
        self._thread.join()
        self._socket.close()

    def of(self, beginning):
        """The packets of all connections whose client began with these bytes: those that came, that went."""
        ports = [
            port for (came, port), way in list(self._ways.items()) if came and way.data.startswith(beginning)
        ]
        return [[self._ways[came, port] for port in ports] for came in (True, False)]

    def _read(self):
        while self._going:
            try:
                packet, place = self._socket.recvfrom(2**17)
            except TimeoutError:
                continue
            if place[2] != OUTGOING:  # on the loopback each packet is seen twice
                self._note(packet)

    def _note(self, packet):
        ip, whole = (packet[0] & 15) * 4, int.from_bytes(packet[2:4])
        source, destination = struct.unpack_from("!HH", packet, ip)
        head = ip + (packet[ip + 12] >> 4) * 4
        came = destination == self.port
        before = self._ways[key := (came, source if came else destination)]
        self._ways[key] = Way(before.packets + 1, before.head_bytes + head, before.data + packet[head:whole])
