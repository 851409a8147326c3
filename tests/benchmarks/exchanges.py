"""Record one exchange of every technique with a real browser, for `/anatomy`.

    python -m tests.benchmarks.exchanges

The bytes are those of the server's socket. They go into `pages/recorded.json`, which comes with the lab.
"""

import json
import time
from datetime import date

from lab import folders
from lab.catalogue import TECHNIQUES
from lab.version import __version__
from tests.support.browsing import PHONE, Visitor, chromium
from tests.support.lab_here import LabHere

BODIES = ("Hello, everyone!", "Who is here?")
PATIENCE_S = 20.0
HEARTBEAT_S = 1.0
"""So that a stream's heartbeat is recorded too."""


def main() -> None:
    """Record, and write the file."""
    with chromium() as browser:
        recorded = {"lab": __version__, "browser": f"Chromium {browser.version}", "date": str(date.today())}
        exchanges = [record(browser, mode) for mode in TECHNIQUES]
    found = {"recorded": recorded, "exchanges": exchanges}
    path = folders.PAGES / "recorded.json"
    path.write_text(json.dumps(found, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
    print(path, path.stat().st_size, "bytes")


def record(browser, mode):
    """The request that brought the last message to a room page, in a lab of its own."""
    with LabHere(heartbeat=HEARTBEAT_S, hold=5) as school:
        visitor = Visitor(browser, school.address, size=PHONE)
        page = visitor.open(f"/room?mode={mode}")
        page.wait_for_selector("[data-status=waiting]")
        page.fill("#name", "Li Lei")
        page.press("#name", "Tab")
        for n, body in enumerate(BODIES, 1):
            page.fill("form#say [name=body]", body)
            page.press("form#say [name=body]", "Enter")
            page.wait_for_selector(f"#messages [data-id]:nth-of-type({n})")
        stream = TECHNIQUES[mode].verb == "stream"
        capture = wait(lambda: found(school, mode, stream))
        visitor.context.close()
        if mode == "websocket":
            wait(lambda: kinds(capture).count("close") == 2)
        shown = capture.as_json()
    parts = [[part["at"], part["came"], part["text"]] for part in shown["parts"]]
    return {"mode": mode, "verb": TECHNIQUES[mode].verb, "parts": parts}


def found(school, mode, stream):
    """The capture with the last message, and with a heartbeat if it is a stream."""
    for capture in school.lab.context.recorder.lanes[mode].wires:
        texts = [part["text"] for part in capture.as_json()["parts"] if not part["came"]]
        heartbeat = not stream or {"heartbeat", "pong"} & set(kinds(capture))
        if any(BODIES[-1] in text for text in texts) and heartbeat:
            return capture
    return None


def kinds(capture):
    """The kinds of its units."""
    return [unit["kind"] for unit in capture.as_json()["units"]]


def wait(condition):
    """What the condition returns, once it is true."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < end, "nothing was recorded in time"
        time.sleep(0.05)
    return value


if __name__ == "__main__":
    main()
