"""A WebSocket handshake by hand: a socket, a request, a response."""

import base64
import hashlib
import os
import socket
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def answer(request: bytes) -> bytes:
    """Return the response to this request: all bytes up to the empty line."""
    lines = request.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ") for line in lines[1:] if line)
    key = base64.b64decode(headers["Sec-WebSocket-Key"])
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n"
        "\r\n"
    ).encode()


# Change nothing below: it reads one request, sends your response, and waits for the end.


def serve(connection):
    """Serve one connection."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        data = connection.recv(4096)
        if not data:
            return
        request += data
    response = answer(request)
    connection.sendall(response)
    if response.startswith(b"HTTP/1.1 101"):
        connection.recv(4096)
    connection.close()


if __name__ == "__main__":
    server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
