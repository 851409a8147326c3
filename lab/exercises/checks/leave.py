"""Users leave while others speak: no message is lost, no error is printed, and Ctrl-C ends the program."""

import struct
from typing import Any

from lab.anatomy.frames import CLOSE
from lab.exercises.listener import ended
from lab.exercises.peer import frame, masked
from lab.exercises.steps import Trial, no_error

PATH = "/chat"
USERS, LEAVERS, PER_LEAVER = 20, 14, 40
"""So many messages are sent before each of them leaves: the program is still sending them on then."""
GOODBYE = struct.pack("!H", 1001)


def everyone(trial: Trial) -> None:
    """A message reaches all twenty users, its sender too."""
    room = trial.saved["room"] = [trial.open(PATH) for _ in range(USERS)]
    text = trial.text(8)
    room[0].send(masked(text))
    for peer in room:
        peer.sent = room[0].sent
        peer.expect(frame(text))


def leaving(trial: Trial) -> None:
    """Fourteen leave, half of them without a word, while one user speaks; the others miss nothing."""
    (speaker, second, *room), texts = trial.saved["room"], list[str]()
    second.sent = b""
    for place in range(LEAVERS):
        burst = [trial.text(8) for _ in range(PER_LEAVER)]
        speaker.send(b"".join(map(masked, burst)))
        second.expect(frame(burst[0]))  # the program has begun to send: now one leaves
        leaver = room.pop()
        leaver.reset() if place % 2 else leaver.send(masked(GOODBYE, CLOSE))
        second.expect(b"".join(map(frame, burst[1:])))
        texts += burst
    for peer in (speaker, *room):
        peer.sent = b""
        for text in texts:
            peer.expect(frame(text))


def ctrl_c(trial: Trial) -> None:
    """Ctrl-C ends the program."""
    program: Any = trial.program
    program.interrupt()
    ended(trial, program)


STEPS = (everyone, leaving, no_error, ctrl_c)
