"""The one shape of every refusal, and the requests that ask for one."""

from lab.catalogue import MODES
from tests.support.listeners import CALLBACK, handshake

POSTING = [mode for mode in MODES if mode not in ("jsonp", "websocket")]


def assert_error(answer, code):
    """The one shape of an error: an object `error` with a code and one sentence, and nothing else."""
    assert answer["error"]["code"] == code
    assert answer["error"].keys() == {"code", "message"}
    assert answer["error"]["message"].endswith(".")


def assert_refused(answer, status, code):
    """An HTTP answer that refuses: its status, its type, its shape."""
    assert answer.status == status, answer
    assert answer.headers["content-type"].startswith("application/json")
    assert_error(answer.json, code)


def assert_not_stored(receipt, mode, status, code):
    """A send was refused, in its technique's own way, and says that the message is not stored."""
    assert receipt.status == (None if mode == "websocket" else status), receipt
    assert_error(receipt.answer, code)
    assert receipt.answer["stored"] is False
    frame = {"type", "mid"} if mode == "websocket" else set()
    assert receipt.answer.keys() == {"error", "stored"} | frame


def receive_path(mode, query):
    """The path of a receive request."""
    return f"/{mode}?{query}" + (f"&callback={CALLBACK}" if mode == "jsonp" else "")


def receive_headers(mode):
    """What a receive request needs besides."""
    return handshake() if mode == "websocket" else {}
