"""Every message comes back as it was sent: same bytes, same opcode, same connection."""

import struct

from lab.anatomy.frames import BINARY, CLOSE
from lab.exercises.peer import Peer, frame, masked
from lab.exercises.steps import Trial

PATH = "/echo"
CLIENTS = 20
EMOJI = "你好 👋🏽"


def connect(trial: Trial) -> None:
    """The program listens at `PORT`."""
    trial.saved["peer"] = trial.connect()


def handshake(trial: Trial) -> None:
    """The response to a handshake is 101."""
    trial.saved["peer"].handshake(PATH)


def comes_back(peer: Peer, message: str | bytes, opcode: int = 1) -> None:
    """A message and the same in one frame of the server."""
    peer.send(masked(message, opcode))
    peer.expect(frame(message, opcode))


def text(trial: Trial) -> None:
    """Some text."""
    comes_back(trial.saved["peer"], f"Hello {trial.text(5)}")


def emoji(trial: Trial) -> None:
    """Characters of three and four bytes, and a message without any."""
    comes_back(trial.saved["peer"], EMOJI + trial.text(3))
    comes_back(trial.saved["peer"], "")


def lengths(trial: Trial) -> None:
    """Lengths that need two and eight more bytes."""
    for size in (126, 70_000):
        comes_back(trial.saved["peer"], trial.text(size))


def binary(trial: Trial) -> None:
    """A binary message comes back as a binary message."""
    comes_back(trial.saved["peer"], bytes([0, 255]) + trial.random.randbytes(6), BINARY)


def unmixed(trial: Trial) -> None:
    """Twenty clients send at the same time, and each receives its own message."""
    peers = [trial.open(PATH) for _ in range(CLIENTS)]
    texts = [trial.text(12) for _ in peers]
    for peer, own in zip(peers, texts, strict=True):
        peer.send(masked(own))
    for peer, own in zip(peers, texts, strict=True):
        peer.expect(frame(own), "mixed")


def close(trial: Trial) -> None:
    """A close frame is answered with the same code."""
    peer = trial.open(PATH)
    peer.send(masked(struct.pack("!H", 1000), CLOSE))
    peer.expect_close(1000)


def one_byte_close(trial: Trial) -> None:
    """A close frame with half a code is a protocol error: 1002, or no code as from Tornado."""
    peer = trial.open(PATH)
    peer.send(masked(b"\x03", CLOSE))
    peer.expect_close(1002, 0)


STEPS = (connect, handshake, text, emoji, lengths, binary, unmixed, close, one_byte_close)
