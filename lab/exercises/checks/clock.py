"""A client that prints each tick, stays through fragments and pings, and reconnects with growing pauses."""

import struct

from lab.anatomy.frames import CLOSE, CONTINUATION, PING, PONG, TEXT
from lab.exercises.listener import Listener, ended, printed
from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import frame
from lab.exercises.steps import Trial

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
ATTEMPTS, GROWS = 3, 1.3
"""Of so many pauses the last is at least so many times as long as the second."""


def start(trial: Trial) -> Listener:
    """A server, and the program as its client."""
    trial.saved["listener"] = listener = Listener(trial)
    trial.start(URL=f"ws://127.0.0.1:{listener.port}/time")
    return listener


def prints(trial: Trial, text: str) -> None:
    """The program prints what it is sent."""
    trial.saved["peer"].send(frame(text))
    printed(trial, trial.program, text)


def connects(trial: Trial) -> None:
    """The program connects to `URL` with a correct handshake."""
    trial.saved["peer"] = start(trial).open(trial.program)


def line(trial: Trial) -> None:
    """It prints a line for each tick, within a second."""
    for text in (trial.text(19), trial.text(19)):
        trial.within(trial.limits.receive_s)
        prints(trial, text)


def fragments(trial: Trial) -> None:
    """A tick in two frames with a ping between them is one line, and the ping is answered under a mask."""
    peer, text = trial.saved["peer"], trial.text(19)
    peer.send(frame(text[:5], TEXT, final=False) + frame("x", PING) + frame(text[5:], CONTINUATION))
    printed(trial, trial.program, text)
    pong = peer.frame()
    if pong.opcode != PONG or not pong.key:
        raise Mismatch("no_pong", sent=peer.sent)


def lost(trial: Trial) -> None:
    """The connection breaks: the program tries again, each time after a longer pause, and then goes on."""
    listener = trial.saved["listener"]
    trial.saved["peer"].reset()
    pauses = listener.pauses(trial.program, ATTEMPTS)
    if pauses[-1] < GROWS * pauses[1]:
        raise Mismatch("same_pauses", pauses=" ".join(f"{pause:.1f}" for pause in pauses))
    trial.saved["peer"] = listener.open(trial.program)
    prints(trial, trial.text(19))


def closes(trial: Trial) -> None:
    """The server closes: the program says so and ends with exit code 0."""
    trial.saved["peer"].send(frame(struct.pack("!H", 1000), CLOSE))
    printed(trial, trial.program, "closed")
    ended(trial, trial.program, 0)


def refused(trial: Trial) -> None:
    """A refusal with 403 is final: the program prints the status and ends with exit code 1."""
    peer = start(trial).accept(trial.program)
    peer.head()
    peer.send(REFUSAL)
    printed(trial, trial.program, "403")
    ended(trial, trial.program, 1)


STEPS = (connects, line, fragments, lost, closes, refused)
