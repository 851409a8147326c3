"""A client that loses nothing: each message once and in order, although its connection breaks."""

import json
import socket
import time
import uuid
from itertools import zip_longest
from typing import Any

from lab.exercises.http import post, response
from lab.exercises.listener import LOOK_S
from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import Peer
from lab.exercises.relay import Relay
from lab.exercises.steps import Trial

HOST, CUTS, APART_S = "127.0.0.1", 5, 0.05
KEPT = 100  # messages that the lab keeps: of more that were missed, the first ones are lost


def send(trial: Trial, count: int, apart_s: float = 0.0) -> None:
    """So many messages are sent to the room; their ids are kept."""
    for _ in range(count):
        message = {"mid": str(uuid.uuid4()), "username": "exercise", "body": trial.text(8)}
        trial.saved["sender"].send(post("/shortpoll", json.dumps(message).encode(), "application/json"))
        trial.saved["ids"].append(json.loads(response(trial.saved["sender"]).body)["id"])
        time.sleep(apart_s)


def lines(trial: Trial) -> list[str]:
    """The ids that the program has printed, of those that were sent, and what it says about missed ones."""
    program: Any = trial.program
    known = set(trial.saved["ids"])
    return [line for line in map(str.strip, program.stdout.lines()) if line in known or "missed" in line]


def prints(trial: Trial, wanted: list[str]) -> None:
    """The program prints these lines, all of them, once and in order. Raises `Mismatch`."""
    while (found := lines(trial)) == wanted[: len(found)] and len(found) < len(wanted) and trial.left():
        time.sleep(LOOK_S)
    for place, (line, right) in enumerate(zip_longest(found, wanted, fillvalue=""), 1):
        if line != right:
            key = "twice" if line in wanted[:place] else "lost"
            raise Mismatch(key, expected=right or "-", received=line, place=place, count=len(wanted))


def receives(trial: Trial) -> None:
    """The program prints the id of a new message."""
    port = trial.lab_port(own=True)
    relay = trial.saved["relay"] = Relay(lambda: socket.create_connection((HOST, port)))
    trial.on_end(relay.end)
    trial.peers.append(Peer(socket.create_connection((HOST, port)), trial.left))
    trial.saved |= {"sender": trial.peers[-1], "ids": []}
    trial.start(URL=f"http://{HOST}:{relay.port}")
    while not (found := lines(trial)) and trial.left():
        send(trial, 1, apart_s=0.1)  # what was sent before it was there does not count
    first = trial.saved["ids"].index(found[0]) if found else -1
    del trial.saved["ids"][:first]
    prints(trial, trial.saved["ids"])


def cut(trial: Trial) -> None:
    """Twenty messages a second; the connection breaks five times."""
    trial.within(trial.limits.step_s + trial.limits.stream * APART_S * 3)
    for _ in range(CUTS):
        send(trial, trial.limits.stream // CUTS, APART_S)
        trial.saved["relay"].cut()
    send(trial, CUTS, APART_S)
    prints(trial, trial.saved["ids"])


def missed(trial: Trial) -> None:
    """It was away for 101 messages: the lab keeps 100. It prints `missed 1` before the others."""
    trial.saved["relay"].cut(refuse=True)
    send(trial, KEPT + 1)
    trial.saved["relay"].accept()
    prints(trial, [*trial.saved["ids"][: -KEPT - 1], "missed 1", *trial.saved["ids"][-KEPT:]])


STEPS = (receives, cut, missed)
