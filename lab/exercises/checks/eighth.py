"""One more technique: a stream of parts, whole at once, counted to the byte, measured, on every page."""

import json
import re
import time
import uuid
from typing import Any

from lab.exercises.copied_lab import copied_lab
from lab.exercises.handshakes import headers
from lab.exercises.http import asked, get, post
from lab.exercises.listener import LOOK_S, ended
from lab.exercises.mismatch import Mismatch
from lab.exercises.own_technique import MODE
from lab.exercises.steps import Trial

MEASURE_S, MESSAGES = 60, 3
PAGES = ("/", f"/room?mode={MODE}", "/compare", f"/technique/{MODE}")
SCRIPT, EXPORTS = f"/static/techniques/{MODE}.js", ("HOLDS", "send", "connect")


def meters(trial: Trial) -> Any:
    """The meters of the technique; None without any."""
    return json.loads(asked(trial, get("/meters")))["techniques"].get(MODE)


def serves(trial: Trial) -> None:
    """The copy of the lab starts, and has meters for the technique."""
    copied_lab(trial)
    if not meters(trial):
        raise Mismatch("no_technique")


def parts(trial: Trial) -> None:
    """Each message is a part, and whole as soon as it is sent: its boundary follows it."""
    peer = trial.saved["peer"] = trial.connect()
    peer.send(f"GET /{MODE}?after=latest HTTP/1.0\r\n\r\n".encode())  # 1.0: a body without chunks
    kind = headers(peer.head()).get("content-type", "")
    boundary = f"--{kind.partition('boundary=')[2].strip(chr(34))}".encode()
    if not kind.startswith("multipart/x-mixed-replace") or boundary == b"--":
        raise Mismatch("no_boundary", expected="multipart/x-mixed-replace; boundary=…", received=kind)
    for place in range(MESSAGES):
        message = {"mid": str(uuid.uuid4()), "username": "exercise", "body": trial.text(12)}
        asked(trial, post("/shortpoll", json.dumps(message).encode(), "application/json"))
        for _ in range(1 + (place == 0)):  # before the first part there is a boundary too
            part = peer.until(lambda data: data.find(boundary) + len(boundary) if boundary in data else 0)
        if message["body"].encode() not in part.partition(b"\r\n\r\n")[2]:
            raise Mismatch("no_part", expected=message["body"], received=part.decode("utf-8", "replace"))


def counted(trial: Trial) -> None:
    """The meters have counted every byte of that stream."""
    peer = trial.saved["peer"]
    peer.reset()
    while (found := meters(trial))["open"] and trial.left():
        time.sleep(LOOK_S)
    sizes = [sum(len(part.data) for part in peer.parts if part.came is came) for came in (True, False)]
    if sizes != (counts := [found["receive"][name] for name in ("bytes_in", "bytes_out")]):
        raise Mismatch("other_count", expected=str(sizes), received=str(counts))


def measured(trial: Trial) -> None:
    """The simulated clients receive by it: a run loses nothing."""
    trial.within(MEASURE_S)
    ended(trial, copied_lab(trial, MEASURE="1"), 0)


def pages(trial: Trial) -> None:
    """Every page has it, and its script has what a page calls."""
    trial.stop()
    copied_lab(trial)
    exported = [(SCRIPT, name, rf"export [^/\n]*\b{name}\b") for name in EXPORTS]
    for page, name, pattern in [(page, MODE, MODE) for page in PAGES] + exported:
        if not re.search(pattern, asked(trial, get(page))):
            raise Mismatch("not_there", page=page, name=name)


STEPS = (serves, parts, counted, measured, pages)
