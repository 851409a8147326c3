"""One clock for all: the time in Beijing, the same tick for every client, and no drift."""

import re
import time
from datetime import UTC, datetime, timedelta

from lab.exercises.mismatch import Mismatch
from lab.exercises.peer import Peer, drain, next_frames
from lab.exercises.steps import Trial, no_error

PATH = "/time"
FORMAT = "%Y-%m-%d %H:%M:%S"
SHAPE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
CLIENTS, APART_S = 3, 0.35
"""So many clients come so many seconds apart: a loop for each would have another phase."""
SAME_S, DRIFT_S, TICK_S = 0.2, 0.1, 1.2


def tick(peer: Peer) -> tuple[str, float]:
    """The next tick, and when it came."""
    return peer.frame().payload.decode("utf-8", "replace"), time.monotonic()


def handshake(trial: Trial) -> None:
    """The program serves `/time`, on a machine that is in New York."""
    trial.start(TZ="America/New_York")
    trial.saved["first"] = trial.open(PATH)


def zone(trial: Trial) -> None:
    """It is the time in Beijing, UTC+8 all year; another zone is a quarter of an hour or more away."""
    text = tick(trial.saved["first"])[0]
    now = datetime.now(UTC) + timedelta(hours=8)
    key = "zone" if SHAPE.fullmatch(text) else "form"
    if key == "form" or abs(datetime.fromisoformat(f"{text}+00:00") - now) > timedelta(minutes=1):
        raise Mismatch(key, expected=now.strftime(FORMAT), received=text)


def same_tick(trial: Trial) -> None:
    """Clients that came at different moments receive the same tick at the same time."""
    peers = trial.saved["peers"] = []
    for _ in range(CLIENTS):
        peers.append(trial.open(PATH))
        time.sleep(APART_S)
    drain(peers)
    ticks = next_frames(peers)
    texts, moments = {str(frame.payload, "latin-1") for frame, _ in ticks}, [at for _, at in ticks]
    if (apart := max(moments) - min(moments)) > SAME_S or len(texts) > 1:
        raise Mismatch("other_tick", received=" ".join(sorted(texts)), apart=f"{apart:.2f}")


def no_drift(trial: Trial) -> None:
    """After many ticks the clock is where it was: a late tick does not make the next one late too."""
    peer, count = trial.saved["peers"][0], trial.limits.ticks
    trial.within(count + trial.limits.step_s)
    moments = [tick(peer)[1] - number for number in range(count + 1)]
    third = count // 3 + 1
    drift = min(moments[-third:]) - min(moments[:third])  # the earliest of each: a busy machine delays others
    if abs(drift) > DRIFT_S:
        raise Mismatch("drift", drift=f"{drift:.2f}", count=count)


def reset(trial: Trial) -> None:
    """A client whose connection breaks stops no other."""
    first, *others = trial.saved["peers"]
    first.reset()
    drain(others)
    for peer in [*others, *others, *others]:
        tick(peer)


def all_leave(trial: Trial) -> None:
    """When all have left, nothing is printed, and the next client is served."""
    trial.close_peers()
    time.sleep(TICK_S)
    tick(trial.open(PATH))
    no_error(trial)


STEPS = (handshake, zone, same_tick, no_drift, reset, all_leave)
