"""WebSocket frames by hand: read those of a server, write those of a client."""

import os
import socket
import threading


def read_frame(read):
    """Return fin, opcode and payload of the next frame. `read(n)` returns 1 to n bytes."""
    first, second = read(2)
    payload = read(second & 0x7F)
    return first >> 7, first & 0x0F, payload


def client_frame(text):
    """Return the bytes of one text frame as a client sends it."""
    data = text.encode()
    key = bytes([1, 2, 3, 4])
    masked = bytes(octet ^ key[place % 4] for place, octet in enumerate(data))
    return bytes([0x81, 0x80 | len(data)]) + key + masked


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
    try:
        serve(connection)
    except ConnectionError:
        pass


if __name__ == "__main__":
    server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=run, args=(connection,), daemon=True).start()
