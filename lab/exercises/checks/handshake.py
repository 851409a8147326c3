"""The response to a handshake, from the example in the standard to a real client."""

from lab.exercises.handshakes import EXAMPLE_KEY, check_response, check_status, new_key, real_client, request
from lab.exercises.mismatch import Mismatch
from lab.exercises.steps import Trial

PATH = "/chat"
KEYS = 100


def respond(trial: Trial, sent: bytes) -> str:
    """The head of the response to a request on a new connection."""
    peer = trial.connect()
    peer.send(sent)
    head = peer.head()
    peer.close()
    return head


def accepted(trial: Trial, key: str, sent: bytes) -> None:
    """The response to this request opens the WebSocket."""
    check_response(sent, respond(trial, sent), key)


def listens(trial: Trial) -> None:
    """The program listens at `PORT`."""
    trial.connect().close()


def example(trial: Trial) -> None:
    """The key in the standard's example."""
    accepted(trial, EXAMPLE_KEY, request(PATH, EXAMPLE_KEY))


def keys(trial: Trial) -> None:
    """A hundred other keys."""
    for key in [new_key(trial.random) for _ in range(KEYS)]:
        accepted(trial, key, request(PATH, key))


def token_list(trial: Trial) -> None:
    """`Connection` is a list of tokens, as Firefox sends it."""
    key = new_key(trial.random)
    accepted(trial, key, request(PATH, key, connection="keep-alive, Upgrade"))


def lower_case(trial: Trial) -> None:
    """Names of headers may be in any case, and a proxy may leave out the space after the colon."""
    key = new_key(trial.random)
    first, *lines = [line.partition(b": ") for line in request(PATH, key).split(b"\r\n")]
    lowered = [name.lower() + colon.strip() + value for name, colon, value in lines]
    accepted(trial, key, b"\r\n".join([first[0], *lowered]))


def refused(trial: Trial, sent: bytes, status: str, header: str) -> None:
    """The response has this status and this header."""
    head = respond(trial, sent)
    check_status(sent, head, status)
    if header.lower() not in head.lower():
        raise Mismatch("no_header", sent=sent, expected=header, name=header.partition(":")[0])


def version(trial: Trial) -> None:
    """Version 8 is refused with 426 and the version that the server supports."""
    old = request(PATH, new_key(trial.random)).replace(b"Version: 13", b"Version: 8")
    refused(trial, old, "426 Upgrade Required", "Sec-WebSocket-Version: 13")


def method(trial: Trial) -> None:
    """A POST is no handshake."""
    sent = request(PATH, new_key(trial.random)).replace(b"GET", b"POST", 1)
    refused(trial, sent, "405 Method Not Allowed", "Allow: GET")


def client(trial: Trial) -> None:
    """Tornado's client connects."""
    real_client(f"ws://127.0.0.1:{trial.program.port}{PATH}", trial.left())


STEPS = (listens, example, keys, token_list, lower_case, version, method, client)
