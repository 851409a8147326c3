"""Record one exchange of every technique with a real browser, for `/anatomy`.

    python -m tests.benchmarks.exchanges

The bytes are those of the server's socket. They go into `pages/recorded.json`, which comes with the lab.
"""

import asyncio
import json
import time
from datetime import date

import lab
from lab import folders
from lab.catalogue import TECHNIQUES
from lab.results.per_message import bytes_per_delivery, cpu_per_delivery, memory_per_client
from lab.version import __version__
from tests.support.browsing import PHONE, Visitor, chromium
from tests.support.lab_here import LabHere

BODIES = ("Hello, everyone!", "Who is here?")
PATIENCE_S = 20.0
CONDITIONS = {"clients": 50, "rate": 20, "duration": 10}
HEARTBEAT_S = 1.0
"""So that a stream's heartbeat is recorded too."""


BINARY = """() => new Promise((resolve) => {
  globalThis.socket = new WebSocket(`ws://${location.host}/websocket?after=latest`, ["pushlab.binary"]);
  socket.onopen = resolve;
})"""


def main() -> None:
    """Record, and write the file."""
    with chromium() as browser:
        recorded = {"lab": __version__, "browser": f"Chromium {browser.version}", "date": str(date.today())}
        exchanges = [record(browser, mode) for mode in TECHNIQUES]
        exchanges += [record(browser, "shortpoll", "send")]
        exchanges += [record(browser, "websocket", variant) for variant in ("fresh", "kept", "binary")]
    found = {"recorded": recorded, "compression": compression(), "exchanges": exchanges}
    path = folders.PAGES / "recorded.json"
    path.write_text(json.dumps(found, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
    print(path, path.stat().st_size, "bytes")
    with chromium() as browser:
        draw(browser)


def draw(browser):
    """The picture of one message on all wires, for the README."""
    with LabHere() as school:
        page = Visitor(browser, school.address).open("/anatomy")
        picture = page.locator("#wires > svg")
        picture.wait_for()
        page.emulate_media(media="print")
        picture.screenshot(path=folders.PAGES / "wires.png")


def compression():
    """What three ways to compress cost, measured here; the machine should have nothing else to do."""
    runs = lab.compare(["websocket"], compress="kept", **CONDITIONS)
    ways = [
        {
            "way": run.compress or "none",
            "bytes": bytes_per_delivery([run]),
            "cpu_s": cpu_per_delivery(run),
            "memory_bytes": memory_per_client(run),
        }
        for run in runs
    ]
    return CONDITIONS | {"ways": ways}


def record(browser, mode, variant=""):
    """The request that brought the last message to a room page, in a lab of its own; or a variant of it."""
    compress = variant if variant in ("fresh", "kept") else False
    with LabHere(heartbeat=HEARTBEAT_S, hold=5, compress=compress) as school:
        visitor = Visitor(browser, school.address, size=PHONE)
        page = visitor.open(f"/room?mode={'sse' if variant == 'binary' else mode}")
        page.wait_for_selector("[data-status=waiting]")
        if variant == "binary":
            page.evaluate(BINARY)
        page.fill("#name", "Li Lei")
        page.press("#name", "Tab")
        for n, body in enumerate(BODIES, 1):
            page.fill("form#say [name=body]", body)
            page.press("form#say [name=body]", "Enter")
            page.wait_for_selector(f"#messages [data-id]:nth-of-type({n})")
        stream = TECHNIQUES[mode].verb == "stream"
        if variant == "send":
            mid = page.locator("#messages [data-mid]").last.get_attribute("data-mid")
            asked = school.lab.context.sends.as_json(mid)
            shown = asyncio.run_coroutine_threadsafe(asked, school.loop).result()
        else:
            capture = wait(lambda: found(school, mode, stream))
            shown = capture.shown().as_json()
        visitor.context.close()
        if mode == "websocket":
            wait(lambda: kinds(capture).count("close") == 2)
            shown = capture.shown().as_json()
    parts = [[part["at"], part["came"], part["text"]] for part in shown["parts"]]
    return {"mode": mode, "variant": variant, "verb": TECHNIQUES[mode].verb, "parts": parts}


def found(school, mode, stream):
    """The capture with the last message, and with a heartbeat if it is a stream."""
    for capture in school.lab.context.recorder.lanes[mode].wires:
        units = capture.shown().as_json()["units"]
        texts = [field["value"] for unit in units if not unit["came"] for field in unit["fields"]]
        heartbeat = not stream or {"heartbeat", "pong"} & set(kinds(capture))
        if any(BODIES[-1] in text for text in texts) and heartbeat:
            return capture
    return None


def kinds(capture):
    """The kinds of its units."""
    return [unit["kind"] for unit in capture.shown().as_json()["units"]]


def wait(condition):
    """What the condition returns, once it is true."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < end, "nothing was recorded in time"
        time.sleep(0.05)
    return value


if __name__ == "__main__":
    main()
