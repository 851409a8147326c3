"""A handshake as text: the address, the request of a client, and the response of a server."""

import os
import socket
from urllib.parse import urlsplit

LAB_PORT = int(os.environ["LAB_PORT"])
PORT = int(os.environ["PORT"])

URL = "vs://127.0.0.1:8080/websocket"

REQUEST = """\
GET /websocket HTTP/1.1
Host: 127.0.0.1
Upqrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Version: 13

"""

RESPONSE = """\
HTTP/1.1 101 Switching Protocols
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Location: ws://127.0.0.1/websocket

"""

# Change nothing below: REQUEST goes to the lab at URL, RESPONSE to a client that connects to PORT.


def main():
    """Send the request to the lab, then wait for a client and send it the response."""
    url = urlsplit(URL)
    if url.scheme != "ws":
        raise ValueError(f"unknown scheme {url.scheme}: in URL {URL}")
    with socket.create_connection((url.hostname, url.port)) as lab:
        lab.sendall(REQUEST.replace("\n", "\r\n").encode())
        print(lab.recv(4096).decode("latin-1"))
    server = socket.create_server(("127.0.0.1", PORT))
    while True:
        client, _ = server.accept()
        with client:
            client.recv(4096)
            client.sendall(RESPONSE.replace("\n", "\r\n").encode())


main()
