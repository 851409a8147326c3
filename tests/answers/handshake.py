"""A WebSocket handshake by hand: a socket, a request, a response."""

import base64
import hashlib
import os
import socket
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def answer(request: bytes) -> bytes:
    """Return the response to this request: all bytes up to the empty line."""
    first, *lines = request.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if not first.startswith("GET "):
        return head("405 Method Not Allowed", "Allow: GET")
    if headers.get("sec-websocket-version") != "13":
        return head("426 Upgrade Required", "Sec-WebSocket-Version: 13")
    accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest()).decode()
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}")
    return head("101 Switching Protocols", *upgrade)


def head(status, *headers):
    """Return a head: status line, headers, empty line."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


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
