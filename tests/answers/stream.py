"""Server-sent events by hand: read the stream of a server."""

import codecs
import json
import os
import socket
import threading
from contextlib import suppress


def lines(chunks):
    """Yield each line that is complete; a line ends with LF, CR LF or CR."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest, first, after_cr = "", True, False
    for chunk in chunks:
        for character in decoder.decode(chunk):
            second_half, after_cr = after_cr and character == "\n", character == "\r"
            if second_half or (first and character == "\ufeff"):
                first = False
                continue
            first = False
            if character in "\r\n":
                yield rest
                rest = ""
            else:
                rest += character


def events(chunks):
    """Yield type, data and last id of each event. `chunks` gives the bytes as they arrive."""
    kind, data, last_id = "", [], ""
    for line in lines(chunks):
        if not line:
            if data:
                yield kind or "message", "\n".join(data), last_id
            kind, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            last_id = value


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
    with connection, suppress(ConnectionError):
        serve(connection)


if __name__ == "__main__":
    server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=run, args=(connection,), daemon=True).start()
