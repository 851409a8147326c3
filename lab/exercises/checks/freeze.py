"""Redis does not respond for a while: only what needs Redis waits for it."""

import time

from lab.anatomy.frames import PING, PONG
from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import Peer, frame, masked
from lab.exercises.relay import Relay
from lab.exercises.steps import Trial, no_error

PATH = "/chat"
STALL_S, APART_S = 2.0, 0.2


def send(trial: Trial) -> str:
    """A sends a text, which is returned."""
    text = trial.text(8)
    trial.saved["a"].send(masked(text))
    return text


def received(trial: Trial, texts: list[str]) -> None:
    """B receives these texts, in order."""
    for text in texts:
        trial.saved["b"].expect(frame(text))


def works(trial: Trial) -> None:
    """What A sends is received by B, while Redis responds."""
    redis = trial.redis()
    relay = trial.saved["relay"] = Relay(redis.connect)
    trial.on_end(relay.end)
    trial.start(REDIS_URL=redis.at(relay.port), KEY_PREFIX=trial.own_prefix())
    trial.saved |= {"a": trial.open(PATH), "b": trial.open(PATH), "c": trial.open(PATH)}
    received(trial, [send(trial)])
    trial.saved["c"].frame()


def stalled(trial: Trial) -> None:
    """Redis does not respond for two seconds, while A sends: C's pings are answered at once."""
    trial.saved["relay"].hold()
    trial.saved["texts"] = [send(trial)]
    until = time.monotonic() + STALL_S
    while time.monotonic() < until:
        time.sleep(APART_S)
        ping(trial, trial.saved["c"])


def ping(trial: Trial, peer: Peer) -> None:
    """A ping, and its pong in time; messages may come before it. Raises `Mismatch`."""
    trial.within(trial.limits.prompt_s)
    peer.send(masked(trial.text(4), PING))
    try:
        while peer.frame().opcode != PONG:
            pass
    except Mismatch:
        raise Mismatch("no_pong", sent=peer.sent, seconds=f"{trial.limits.prompt_s:g}") from None


def joining(trial: Trial) -> None:
    """A user that joins meanwhile gets its handshake, and stops no other."""
    trial.open(PATH)
    ping(trial, trial.saved["c"])


def recovers(trial: Trial) -> None:
    """Redis responds again: what was sent meanwhile arrives, then what is sent now."""
    trial.saved["relay"].release()
    received(trial, [*trial.saved["texts"], send(trial)])


STEPS = (works, stalled, joining, recovers, no_error)
