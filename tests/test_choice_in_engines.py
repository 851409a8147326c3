"""The room without a chosen technique in Firefox and WebKit; tests/test_automatic_choice.py has Chromium."""

import pytest

from tests.support.browser_fixtures import EACH_ENGINE
from tests.support.browsing import post
from tests.support.engines import until
from tests.support.hostile import Hostile
from tests.support.room_page import IDS, STATUS
from tests.support.room_user import publishing

pytestmark = pytest.mark.timeout(180)
PATIENCE_S = 60.0
OTHERS = [param for param in EACH_ENGINE if param.values != ("chromium",)]
FOUND = {
    (): ("websocket", "WebSocket works here."),
    ("upgrade",): ("sse", "This network blocks WebSocket; messages arrive by server-sent events."),
}
CHOICE = """() => [
    document.querySelector("[data-mode][aria-current=true]").dataset.mode,
    document.getElementById("choice").textContent,
]"""


@pytest.mark.parametrize("engine", OTHERS, indirect=True)
@pytest.mark.parametrize("faults", FOUND, ids=lambda faults: " and ".join(faults) or "none")
def test_the_room_begins_improves_and_falls_back(engine, lab_here, faults):
    """Messages pour in while the page finds its technique: each arrives once; the sentence is true."""
    first = post(lab_here.address)
    with Hostile(lab_here.lab.port, *faults) as proxy:
        with publishing(lab_here.address, 0.1) as published:
            engine.open(f"{proxy.address}/room?lang=en")
            until(lambda: tuple(engine.run(CHOICE)) == FOUND[faults], engine.seen, PATIENCE_S)
            engine.until(f"() => ({STATUS})() === 'waiting'")
            seen = len(published)
            until(lambda: len(published) > seen + 2, lambda: "more messages", PATIENCE_S)
        until(lambda: engine.run(IDS)[-1:] == published[-1:], engine.seen, PATIENCE_S)
        assert engine.run(IDS) == [first, *published]
        if faults:
            proxy.faults.add("cut")
            proxy.cut()
            until(lambda: engine.run(CHOICE)[0] == "longpoll", engine.seen, PATIENCE_S)
            last = post(lab_here.address, "after the network became worse")
            until(lambda: engine.run(IDS)[-1:] == [last], engine.seen, PATIENCE_S)
            assert engine.run(IDS) == [first, *published, last]
        engine.open("about:blank")
