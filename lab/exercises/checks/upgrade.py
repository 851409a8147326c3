"""The bytes of a request go to a real lab, those of a response to a raw client: a wrong header is named."""

import socket
from contextlib import suppress

from lab.exercises.handshakes import NEEDED, check_response, check_status, headers
from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import Peer
from lab.exercises.steps import Trial

REQUIRED = (("Host", ""), *NEEDED, ("Sec-WebSocket-Key", ""), ("Sec-WebSocket-Version", "13"))
HOST = "127.0.0.1"


def connects(trial: Trial) -> None:
    """The program connects to the lab: this check stands between them and sees every byte."""
    listener = socket.create_server((HOST, 0))
    trial.on_end(listener.close)
    port = listener.getsockname()[1]
    program = trial.start(LAB_PORT=str(port))
    listener.settimeout(0.1)
    while True:
        with suppress(TimeoutError):
            connection = listener.accept()[0]
            break
        if program.exit_code is not None or not trial.left():
            raise Mismatch("no_connection", port=port)
    trial.on_end(connection.close)
    trial.saved["client"] = Peer(connection, trial.left)


def request(trial: Trial) -> None:
    """A real lab answers the request with 101."""
    client = trial.saved["client"]
    text = trial.saved["request"] = client.head()
    name = missing(text)
    lab = Peer(socket.create_connection((HOST, trial.lab_port()), trial.left()), trial.left)
    trial.on_end(lab.close)
    lab.send(text.encode("latin-1"))
    head = lab.head()
    client.send(head.encode("latin-1"))
    client.close()
    check_status(lab.sent, head, key="request_header" if name else "status", name=name)


def missing(text: str) -> str:
    """The first header of a handshake that is not in the request, or not with its value; else nothing."""
    found = headers(text)
    for name, value in REQUIRED:
        if name.lower() not in found or value.lower() not in found[name.lower()].lower():
            return name
    return ""


def response(trial: Trial) -> None:
    """A client accepts the response: its accept value is that of the key in the request."""
    text = trial.saved["request"]
    peer = trial.connect()
    peer.send(text.encode("latin-1"))
    check_response(peer.sent, peer.head(), headers(text)["sec-websocket-key"])


STEPS = (connects, request, response)
