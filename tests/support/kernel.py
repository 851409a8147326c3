"""What Linux says of the TCP connections on this machine."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ESTABLISHED, TIME_WAIT, LISTENING = "01", "06", "0A"
"""States of a connection, as proc_pid_net(5) spells them."""


class Row(NamedTuple):
    """One socket: the address and port of its two ends, its state, and its inode."""

    here: tuple[str, int]
    there: tuple[str, int]
    state: str
    inode: str


def connections(process: int | str = "self") -> Iterator[Row]:
    """All TCP sockets in the network of a process."""
    for table in (Path(f"/proc/{process}/net/{name}") for name in ("tcp", "tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            words = line.split()
            yield Row(end(words[1]), end(words[2]), words[3], words[9])


def end(written: str) -> tuple[str, int]:
    """The address and the port of `0100007F:1F90`, which stands for 127.0.0.1:8080 on most machines."""
    address, port = written.split(":")
    words = (int(address[at : at + 8], 16) for at in range(0, len(address), 8))
    packed = b"".join(mode.to_bytes(4, sys.byteorder) for mode in words)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, packed), int(port, 16)
