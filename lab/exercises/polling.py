"""What the users of a long poll do: one sends a message, others poll and must be answered."""

import json
import time

from lab.exercises.http import get, post, response
from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import Peer
from lab.exercises.steps import Trial

LOOK_S = 0.02
"""Seconds between two looks at how many polls wait."""


def send(trial: Trial) -> str:
    """A message is sent; returns its text."""
    text = trial.text(8)
    trial.saved["sender"].send(post("/messages", text.encode()))
    if (status := response(trial.saved["sender"]).status) not in (200, 201):
        raise Mismatch("other_status", expected="201", received=str(status))
    return text


def poll(trial: Trial, peer: Peer) -> None:
    """A request for what comes after the cursor."""
    peer.send(get(f"/messages?after={trial.saved.get('cursor', 0)}"))


def answered(trial: Trial, peer: Peer, texts: list[str]) -> None:
    """The poll is answered with these messages, and with the cursor of the next poll. Raises `Mismatch`."""
    answer = response(peer).json()
    if not isinstance(answer, dict) or answer.get("messages") != texts:
        wanted = json.dumps({"messages": texts})
        raise Mismatch("other_messages", sent=peer.sent, expected=wanted, received=json.dumps(answer))
    trial.saved["cursor"] = answer.get("cursor")


def waits(trial: Trial, count: int) -> None:
    """So many polls wait, now or soon. Raises `Mismatch`."""
    seen, until = "", time.monotonic() + trial.left() / 2
    while seen != str(count):
        if time.monotonic() > until:
            raise Mismatch("waiting", count=count, found=seen)
        trial.saved["sender"].send(get("/waiting"))
        seen = response(trial.saved["sender"]).body.decode("utf-8", "replace").strip()
        time.sleep(LOOK_S)
