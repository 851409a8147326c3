"""A lab in this process, where a test can reach its insides and act as its teacher."""

import asyncio
import json
import queue
import threading
import urllib.request
import uuid

from lab.server.lifecycle import running
from lab.settings import Settings

PATIENCE_S = 20.0


def temporary():
    """The settings of a lab with a Redis and a room of its own, on any free port."""
    return {"port": 0, "redis": "private", "room": f"run-{uuid.uuid4().hex}", "limits": {"rate": 0}}


class LabHere:
    """A lab in a thread of this process, whose insides can be reached; one that `keeps` leaves its room."""

    def __init__(self, keeps=False, **settings):
        self._temporary = not keeps
        self._settings = temporary() | settings
        self._started, self._over = queue.Queue(), threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))

    async def _serve(self):
        async with running(Settings(**self._settings), temporary=self._temporary) as lab:
            self._started.put((lab, asyncio.get_running_loop()))
            await asyncio.to_thread(self._over.wait)

    def __enter__(self):
        self._thread.start()
        self.lab, self.loop = self._started.get(timeout=PATIENCE_S)
        self.address = self.lab.url.removesuffix("/")
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def cut(self):
        """Close every connection without a word, as a network does; returns how many there were."""
        cut = queue.Queue()

        def close_all():
            for stream in (streams := list(self.lab.server.open)):
                stream.close()
            cut.put(len(streams))

        self.loop.call_soon_threadsafe(close_all)
        return cut.get(timeout=PATIENCE_S)

    def ask(self, path, wanted=None, teacher=True):
        """Do what a teacher's script does, or a student's: GET, or POST some JSON. Returns the answer."""
        data = None if wanted is None else json.dumps(wanted).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"})
        if teacher:
            request.add_header("Authorization", f"Bearer {self.lab.key.token}")
        return urllib.request.urlopen(request, timeout=PATIENCE_S)

    def look(self, path, **headers):
        """Ask as a browser does, with these headers; returns the answer."""
        return urllib.request.urlopen(
            urllib.request.Request(self.address + path, headers=headers), timeout=PATIENCE_S
        )

    def teacher_post(self, action, **wanted):
        """Change the lesson by one of the teacher's actions; returns the lab's answer."""
        with self.ask(f"/teacher/{action}", wanted) as answer:
            return json.load(answer)
