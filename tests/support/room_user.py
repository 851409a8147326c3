"""A user of the room in Chromium, the labs that it uses, and messages that others send meanwhile."""

import json
import subprocess
import sys
import threading
from contextlib import contextmanager

from playwright.sync_api import expect

from tests.support.browsing import PATIENCE_MS, post
from tests.support.lab_here import temporary
from tests.support.lab_process import ROOT


@contextmanager
def serving(**settings):
    """Run a lab of our own in another process; yields its address."""
    command = [sys.executable, "-m", "lab.server", json.dumps(temporary() | settings)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        said = json.loads(process.stdout.readline())
        yield f"http://127.0.0.1:{said['port']}"
        process.stdin.close()  # this is how it is asked to stop
        process.wait(timeout=PATIENCE_MS / 1000)


class User:
    """A user of the room: a page with a browser context of its own."""

    def __init__(self, context, address, mode, clock=False):
        self.page = context.new_page()
        if clock:  # the page's own, so that a minute need not take one
            self.page.clock.install()
        self.complaints = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note)
        self.status = self.page.locator("[data-status]")
        self.box = self.page.locator("form#say [name=body]")
        self.reason = self.page.locator("#reason")
        self.page.goto(f"{address}/room?mode={mode}")
        expect(self.status).to_have_attribute("data-status", "waiting")

    def _note(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def say(self, text):
        """Type a message and press Enter."""
        self.box.fill(text)
        self.box.press("Enter")

    def switch(self, mode):
        """Choose another technique."""
        self.page.click(f"[data-mode={mode}]")

    def change_to(self, mode):
        """Choose another technique, and wait until it is connected."""
        self.switch(mode)
        self.page.wait_for_url(f"**/room?mode={mode}")
        expect(self.status).to_have_attribute("data-status", "waiting")

    def lines(self, text=""):
        """The messages in the list that hold this text."""
        return self.page.locator("#messages [data-id]", has_text=text)

    def line(self, id_):
        """The message with this cursor."""
        return self.page.locator(f"#messages [data-id='{id_}']")

    def ids(self):
        """The cursors of the messages in the list, from top to bottom."""
        return self.lines().evaluate_all("lines => lines.map(line => line.dataset.id)")


@contextmanager
def publishing(address, interval=0.02):
    """Send messages without a pause while the block runs; yields the growing list of their ids."""
    ids, over = [], threading.Event()

    def publish():
        while not over.wait(interval):
            ids.append(post(address))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield ids
    finally:
        over.set()
        thread.join()
