"""Claims and numbers, written down before the lab measures them under conditions that the seed draws."""

import json
from contextlib import suppress
from math import isclose
from typing import Any

from lab.exercises.listener import ended
from lab.exercises.mismatch import Mismatch
from lab.exercises.steps import Trial
from lab.experiment.session import measure

CLAIMS = ("does not", "depends", "does not", "depends", "does not", "does not")  # as on the sheet
TOLERANCE = 0.1
RUN = {"clients": 5, "rate": 5.0, "duration": 2.0, "arrivals": "periodic"}


def complete(trial: Trial) -> None:
    """The program prints the sheet, and ends. Nothing has been measured yet. Raises `Mismatch`."""
    drawn = {"interval": trial.random.randint(30, 60) / 100, "payload": trial.random.randint(20, 200)}
    program: Any = trial.start(INTERVAL_S=str(drawn["interval"]), BODY=str(drawn["payload"]))
    ended(trial, program, 0)
    printed = program.stdout.text(wait_s=1.0)
    trial.stop()
    pairs: Any = []
    with suppress(ValueError, TypeError, LookupError, AttributeError):
        pairs = [pair for part in ("claims", "numbers") for pair in json.loads(printed)[part].items()]
    if len(pairs) != len(CLAIMS) + 6:
        raise Mismatch("no_sheet", received=printed)
    trial.saved = {"conditions": RUN | drawn, "sheet": pairs, "runs": {}}


def claims(trial: Trial) -> None:
    """Each claim holds, does not, or depends. Raises `Mismatch`."""
    for place, ((claim, written), known) in enumerate(zip(trial.saved["sheet"], CLAIMS, strict=False), 1):
        if written != known:
            raise Mismatch(f"claim_{place}", sent=claim, received=str(written))


def run(trial: Trial, mode: str) -> Any:
    """The run of a technique, measured at its first use."""
    if mode not in (runs := trial.saved["runs"]):
        runs[mode] = measure(mode, **trial.saved["conditions"])
    return runs[mode]


def number(trial: Trial, place: int, measured: float) -> None:
    """The number at this place of the sheet was measured, within a tenth. Raises `Mismatch`."""
    name, written = trial.saved["sheet"][len(CLAIMS) + place]
    if not isinstance(written, int | float) or not isclose(written, measured, rel_tol=TOLERANCE):
        raise Mismatch("number", sent=name, expected=f"{measured:.4g}", received=str(written))


def per_message(trial: Trial, mode: str, *parts: str) -> float:
    """These bytes of a run, for each message that was received."""
    receive = run(trial, mode).receive
    return float(sum(receive[part] for part in parts) / receive["messages"])


def polls(trial: Trial) -> None:
    """Short polling: how long a message waits. Long polling: the heads of a request and its response."""
    number(trial, 0, 1000 * run(trial, "shortpoll").latency_s["mean"])
    polled = run(trial, "longpoll").receive
    number(trial, 1, polled["head_bytes"] / polled["requests"])


def streams(trial: Trial) -> None:
    """WebSocket: a frame's header, and its payload. Server-sent events: chunk and fields."""
    number(trial, 2, per_message(trial, "websocket", "framing_bytes"))
    number(trial, 3, per_message(trial, "websocket", "payload_bytes"))
    number(trial, 4, per_message(trial, "sse", "framing_bytes"))


def ratio(trial: Trial) -> None:
    """The bytes of a long poll for a message, divided by those of a WebSocket without its handshake."""
    whole = per_message(trial, "longpoll", "bytes_in", "bytes_out")
    number(trial, 5, whole / per_message(trial, "websocket", "framing_bytes", "payload_bytes"))


STEPS = (complete, claims, polls, streams, ratio)
