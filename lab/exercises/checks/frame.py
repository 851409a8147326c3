"""Frames: the program reports each frame that it reads in a frame that it writes: `fin opcode text`."""

import socket
import time

from lab.anatomy.frames import CONTINUATION, PING, TEXT
from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import Peer, frame
from lab.exercises.steps import Trial

REPORT = len("1 1 ")
SAME_TEXTS = 5
APART_S = 0.02
"""Seconds between two bytes, so that they arrive apart."""


def reported(peer: Peer, text: str, data: bytes, fin: int = 1, opcode: int = TEXT) -> bytes:
    """Send a frame, and expect its report; returns the key of its mask."""
    peer.send(data)
    return peer.expect_masked(f"{fin} {opcode} {text}")


def listens(trial: Trial) -> None:
    """The program listens at `PORT`."""
    trial.saved["peer"] = trial.connect()


def example(trial: Trial) -> None:
    """The example of the standard (RFC 6455 section 5.7), and an empty frame."""
    reported(trial.saved["peer"], "Hello", frame("Hello"))
    reported(trial.saved["peer"], "", frame(""))


def longer(trial: Trial) -> None:
    """A report of 126 bytes: its length needs two more bytes."""
    text = trial.text(126 - REPORT)
    reported(trial.saved["peer"], text, frame(text))


def lengths(trial: Trial) -> None:
    """The lengths before and after each change, read and written."""
    for size in (125, 126, 65_535 - REPORT, 65_536 - REPORT, 65_535, 65_536):
        text = trial.text(size)
        reported(trial.saved["peer"], text, frame(text))


def cut(trial: Trial) -> None:
    """A frame that arrives byte by byte."""
    peer = trial.connect()
    peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    text = trial.text(130)
    data = frame(text)
    for place in (*range(8), 8):
        peer.send(data[place : place + 1] if place < 8 else data[8:])
        time.sleep(APART_S)
    peer.expect_masked(f"1 1 {text}")


def unmask(trial: Trial) -> None:
    """A masked frame is read too: both sides have the same format."""
    text = trial.text(7)
    reported(trial.saved["peer"], text, frame(text, key=trial.random.randbytes(4)))


def fragments(trial: Trial) -> None:
    """A message in two frames, with a ping between them: three frames."""
    peer, ping = trial.connect(), trial.text(4)
    reported(peer, "Hel", frame("Hel", TEXT, final=False), fin=0)
    reported(peer, ping, frame(ping, PING), opcode=PING)
    reported(peer, "lo", frame("lo", CONTINUATION), opcode=CONTINUATION)


def other_masks(trial: Trial) -> None:
    """Equal texts have different masks."""
    keys = [reported(trial.saved["peer"], "same", frame("same")) for _ in range(SAME_TEXTS)]
    if len(set(keys)) < SAME_TEXTS:
        raise Mismatch("same_mask", received=keys[0])


STEPS = (listens, example, longer, lengths, cut, unmask, fragments, other_masks)
