"""Two techniques in one page at once: each receives everything, and the page shows each message once."""

import time
from itertools import combinations

from lab.catalogue import MODES
from lab.experiment.records import Record, place, received
from tests.faults.listeners import RecordingListener
from tests.faults.network_faults import cut
from tests.faults.scene import Scene


class Page:
    """What two listeners put together; in the book it is one more reader."""

    def __init__(self, words: tuple[str, str], scene: Scene) -> None:
        self.name, self.book = " and ".join(words), scene.book
        self.shown: set[str] = set()
        start = scene.latest
        self.book.append(Record(time.monotonic(), self.name, "page", "open", *place(start)))
        self.halves = [Half(self, mode, scene, start) for mode in words]

    def show(self, events: list[dict]) -> None:
        """Write down what is not here yet, by its id."""
        for event in events:
            if event["type"] == "message" and event["id"] not in self.shown:
                self.shown.add(event["id"])
                self.book.append(received(time.monotonic(), self.name, "page", event))

    def close(self) -> None:
        """Write down that it is shown no more."""
        self.book.append(Record(time.monotonic(), self.name, "page", "close"))


class Half(RecordingListener):
    """One of a page's listeners."""

    def __init__(self, page: Page, mode: str, scene: Scene, start: str) -> None:
        super().__init__(f"{mode} of {page.name}", mode, scene.url, start, scene.book)
        self.page = page

    def receive(self, events: list[dict]) -> None:
        """Write down what came, and show it."""
        super().receive(events)
        self.page.show(events)

    def write(self, kind: str, *at: int) -> None:
        """Write down what happened; when a half leaves for good, so does the page."""
        super().write(kind, *at)
        if kind == "close":
            self.page.close()


async def listen_twice(scene: Scene) -> None:
    """Pages listen by every two techniques and are cut off thrice: all listeners and all pages are whole."""
    for words in combinations(MODES, 2):
        for half in Page(words, scene).halves:
            await scene.welcome(half)
    await cut(scene)
