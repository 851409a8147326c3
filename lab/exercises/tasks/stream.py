"""Server-sent events by hand: read the stream of a server."""

import json
import os
import socket
import threading


def events(chunks):
    """Yield type, data and last id of each event. `chunks` gives the bytes as they arrive."""
    for chunk in chunks:
        for block in chunk.decode().split("\n\n"):
            kind, data = "message", ""
            for line in block.split("\n"):
                if line.startswith("event: "):
                    kind = line[7:]
                if line.startswith("data: "):
                    data = line[6:]
            if data:
                yield kind, data, ""


# Change nothing below: each event is reported as one line of JSON.


def received(connection):
    """The bytes of one connection, as they arrive."""
    while chunk := connection.recv(4096):
        yield chunk


def serve(connection):
    """Report every event of one connection."""
    for event in events(received(connection)):
        connection.sendall(json.dumps(event, ensure_ascii=False).encode() + b"\n")


def run(connection):
    """Serve one connection; its end is no error."""
    with connection:
        try:
            serve(connection)
        except ConnectionError:
            pass


if __name__ == "__main__":
    server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=run, args=(connection,), daemon=True).start()
