"""A history of 100 messages: complete, in order, bounded, and nothing lost or doubled while a user joins."""

from lab.exercises.handshakes import EXAMPLE_KEY, check_response, request
from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import Peer, frame, masked
from lab.exercises.steps import Trial

PATH = "/chat"
SIZE = 100
COUNTS = (99, 100, 101, 250)
JOINERS, BURST = 20, 4
"""So many users join while so many messages are sent around each."""


def say(trial: Trial, count: int = 1) -> None:
    """One user sends so many messages, and receives each of them."""
    sender: Peer = trial.saved["sender"]
    texts = [f"{len(trial.saved['sent']) + place} {trial.text(6)}" for place in range(count)]
    trial.saved["sent"] += texts
    for text in texts:
        sender.send(masked(text))
    for text in texts:
        sender.expect(frame(text))


def receives(trial: Trial, peer: Peer, key: str) -> None:
    """A user that has just joined receives the last messages, in order."""
    for text in trial.saved["sent"][-SIZE:]:
        peer.expect(frame(text), key)


def empty(trial: Trial) -> None:
    """Without a history the first message is the first thing that is received."""
    key = trial.saved["key"] = trial.own_prefix()
    trial.start(REDIS_URL=trial.redis().url, KEY_PREFIX=key)
    trial.saved |= {"sender": trial.open(PATH), "sent": []}
    say(trial)


def one(trial: Trial) -> None:
    """A history of one message: a user that joins receives it before a newer one."""
    peer = trial.open(PATH)
    say(trial)
    receives(trial, peer, "no_history")


def counts(trial: Trial) -> None:
    """Histories shorter and longer than the limit."""
    for count in COUNTS:
        say(trial, count - len(trial.saved["sent"]))
        receives(trial, trial.open(PATH), "other_history")


def bounded(trial: Trial) -> None:
    """Redis keeps 100 messages and no more."""
    if (length := trial.redis().length(f"{trial.saved['key']}history")) > SIZE:
        raise Mismatch("too_long", length=length, size=SIZE)


def joining(trial: Trial) -> None:
    """Messages that are sent while users join are neither lost nor received twice."""
    peers = []
    for _ in range(JOINERS):
        peers.append(trial.connect())
        peers[-1].send(request(PATH, EXAMPLE_KEY))
        say(trial, BURST)
    for peer in peers:
        check_response(peer.sent, peer.head(), EXAMPLE_KEY)
        texts = trial.saved["sent"]
        first = peer.frame().payload.decode("utf-8", "replace")
        for text in texts[texts.index(first) + 1 :] if first in texts else texts:
            peer.expect(frame(text), "lost_or_twice")


STEPS = (empty, one, counts, bounded, joining)
