"""A long poll behind a proxy: answered in time when nothing happens, at once when something does."""

import time

from lab.exercises.mismatch import Mismatch
from lab.exercises.polling import answered, poll, send, waits
from lab.exercises.steps import Trial, no_error

PROXY_S, SHORTEST_S = 2.0, 0.4
"""The proxy waits so long for the first byte; a poll that is answered sooner than this is a short poll."""
ABORTED = 100


def stored(trial: Trial) -> None:
    """A message that is there already is answered at once."""
    trial.saved |= {"sender": trial.connect(), "a": trial.connect(), "b": trial.connect()}
    text = send(trial)
    poll(trial, trial.saved["a"])
    answered(trial, trial.saved["a"], [text])


def silence(trial: Trial) -> None:
    """No message is sent: each poll is answered before the proxy answers 504 in its place."""
    until = time.monotonic() + trial.limits.silence_s
    while (since := time.monotonic()) < until:
        trial.within(PROXY_S)
        poll(trial, trial.saved["a"])
        answered(trial, trial.saved["a"], [])
        if (took := time.monotonic() - since) < SHORTEST_S:
            raise Mismatch("short", sent=trial.saved["a"].sent, seconds=f"{took:.2f}")


def at_once(trial: Trial) -> None:
    """Two users wait; a message ends the wait of both at once."""
    users = trial.saved["a"], trial.saved["b"]
    for peer in users:
        poll(trial, peer)
    waits(trial, len(users))
    text = send(trial)
    trial.within(trial.limits.prompt_s)
    for peer in users:
        answered(trial, peer, [text])


def gap(trial: Trial) -> None:
    """Three messages come between two polls: the next poll has all three."""
    texts = [send(trial) for _ in range(3)]
    poll(trial, trial.saved["a"])
    answered(trial, trial.saved["a"], texts)


def aborted(trial: Trial) -> None:
    """A hundred users go while they wait: none of their polls is left, and the next message arrives."""
    for peer in [trial.connect() for _ in range(ABORTED)]:
        poll(trial, peer)
        peer.reset()
    waits(trial, 0)
    at_once(trial)
    no_error(trial)


STEPS = (stored, silence, at_once, gap, aborted)
