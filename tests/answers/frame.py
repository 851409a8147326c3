"""WebSocket frames by hand: read those of a server, write those of a client."""

import os
import socket
import struct
import threading
from contextlib import suppress


def exactly(read, size):
    """Read until there are so many bytes: TCP has no messages."""
    data = b""
    while len(data) < size:
        data += read(size - len(data))
    return data


def read_frame(read):
    """Return fin, opcode and payload of the next frame. `read(n)` returns 1 to n bytes."""
    first, second = exactly(read, 2)
    size = second & 0x7F
    if size > 125:
        size = int.from_bytes(exactly(read, 2 if size == 126 else 8), "big")
    key = exactly(read, 4) if second & 0x80 else bytes(4)
    payload = exactly(read, size)
    return first >> 7, first & 0x0F, mask(payload, key)


def mask(data, key):
    """Return the data under the key; a second time takes it off again."""
    return bytes(octet ^ key[place % 4] for place, octet in enumerate(data))


def client_frame(text):
    """Return the bytes of one text frame as a client sends it."""
    data, key = text.encode(), os.urandom(4)
    if len(data) < 126:
        head = struct.pack("!BB", 0x81, 0x80 | len(data))
    elif len(data) < 65536:
        head = struct.pack("!BBH", 0x81, 0x80 | 126, len(data))
    else:
        head = struct.pack("!BBQ", 0x81, 0x80 | 127, len(data))
    return head + key + mask(data, key)


# Change nothing below: each frame that arrives is reported in a frame.


def serve(connection):
    """Report every frame of one connection."""

    def read(size):
        data = connection.recv(size)
        if size and not data:
            raise ConnectionError("the connection is closed")
        return data

    with connection:
        while True:
            fin, opcode, payload = read_frame(read)
            connection.sendall(client_frame(f"{fin} {opcode} {payload.decode()}"))


def run(connection):
    """Serve one connection; its end is no error."""
    with suppress(ConnectionError):
        serve(connection)


if __name__ == "__main__":
    server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=run, args=(connection,), daemon=True).start()
