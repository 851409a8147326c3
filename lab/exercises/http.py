"""HTTP of exercises whose program is a server of requests: what a client sends, and the response."""

import json
from typing import NamedTuple

from lab.exercises.handshakes import headers
from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import Peer
from lab.exercises.steps import Trial


class Response(NamedTuple):
    """The status of a response, and its body."""

    status: int
    body: bytes

    def json(self) -> object:
        """The body as JSON. Raises `Mismatch` when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Mismatch("no_json", received=self.body.decode("utf-8", "replace")) from None


def get(path: str) -> bytes:
    """A request for this path."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes, kind: str = "text/plain") -> bytes:
    """A request that sends this body."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}"]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def response(peer: Peer) -> Response:
    """The next response, whose length must be said. Raises `Mismatch`."""
    head = peer.head()
    found = headers(head)
    if "content-length" not in found:
        raise Mismatch("no_header", received=head.partition("\r\n")[0], name="Content-Length")
    size = int(found["content-length"])
    body = peer.until(lambda data: size if len(data) >= size else 0) if size else b""
    return Response(int(head.split(" ", 2)[1]), body)


def asked(trial: Trial, data: bytes) -> str:
    """The body of the response to a request on a connection of its own."""
    peer = trial.connect()
    peer.send(data)
    return response(peer).body.decode("utf-8", "replace")
