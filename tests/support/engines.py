"""Three browser engines with one interface: Chromium by Playwright, Firefox and WebKit by WebDriver.

Firefox speaks WebDriver BiDi on a WebSocket, WebKitGTK the older WebDriver by HTTP; neither needs another
program between. Each engine is one process with one page. Knows nothing of the lab.
"""

import contextlib
import glob
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests import tools
from tests.support.redis_server import free_port

PATIENCE_S = 20.0
POLL_S = 0.05
ENTER = "\ue007"
"""The Enter key, as WebDriver writes it (section 17.4.2)."""
WAIT = "async (json) => JSON.stringify((await ({})(...JSON.parse(json))) ?? null)"
"""Calls a function with arguments in JSON, and waits for its result."""
LISTEN = """() => {
    window.complaints ??= [];
    const note = (text) => window.complaints.push(String(text));
    addEventListener("error", ({ message }) => message && note(message));
    addEventListener("unhandledrejection", ({ reason }) => note(reason));
    addEventListener("securitypolicyviolation", ({ violatedDirective }) => note(violatedDirective));
    for (const level of ["error", "warn"]) console[level] = (...words) => note(words.join(" "));
}"""
QUIET_FIREFOX = {
    "app.normandy.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,none",
    "toolkit.telemetry.server": "data:,none",
    "dom.ipc.processPrelaunch.enabled": False,
    "fission.autostart": False,
    "layout.frame_rate": 20,
}
"""Firefox asks nothing of the network, and asks the user nothing."""
NARROW_GTK = """
button, entry, toolbar, toolbutton, image {
  min-width: 0; min-height: 0; padding: 0; margin: 0; border-width: 0; font-size: 1px;
}
"""
"""A style for WebKit's own window, whose toolbar is otherwise wider than a phone."""


def until(probe: Callable[[], Any], what: Callable[[], str], patience_s: float = PATIENCE_S) -> Any:
    """Ask again and again until the answer is true; returns it. Fails when that takes too long."""
    deadline = time.monotonic() + patience_s
    while not (result := probe()):
        assert time.monotonic() < deadline, f"Never came true: {what()}"
        time.sleep(POLL_S)
    return result


SIZINGS = 10
"""Times that a window is given its size: a busy machine may report the size that it had before."""


class Page:
    """One page of a browser. An engine brings `open`, `run`, `type` and `size`."""

    name: str
    version: str

    def run(self, function: str, *arguments: Any) -> Any:
        """Call a JavaScript function in the page with JSON arguments; returns its result, awaited."""
        raise NotImplementedError

    def until(self, function: str, *arguments: Any) -> Any:
        """Call a function again and again until its result is true; returns it."""
        what = f"{self.name}: {function} {arguments}"
        return until(lambda: self.run(function, *arguments), lambda: f"{what} in {self.seen()}")

    def seen(self) -> str:
        """The text of the page, for the message of a test that failed."""
        return str(self.run("() => location + ' ' + document.body.innerText"))

    def complaints(self) -> list[str]:
        """What the console has complained of since the last call: errors, warnings, broken policies."""
        raise NotImplementedError


class Chromium(Page):
    """Chromium, driven by Playwright."""

    name = "chromium"

    def __init__(self, browser: Any) -> None:
        self.version = f"Chromium {browser.version}"
        self.page = browser.new_page()
        self._complaints: list[str] = []
        self.page.on("pageerror", lambda error: self._complaints.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._complaints.append(message.text)

    def open(self, url: str) -> None:
        """Load a page to its end."""
        self.page.goto(url)

    def run(self, function: str, *arguments: Any) -> Any:
        """Call a JavaScript function in the page."""
        return json.loads(self.page.evaluate(WAIT.format(function), json.dumps(arguments)))

    def type(self, text: str) -> None:
        """Press keys, in the element that has the focus."""
        for key in text:
            self.page.keyboard.press("Enter" if key == ENTER else key)

    def size(self, width: int, height: int) -> None:
        """Give the page this size, in CSS pixels."""
        self.page.set_viewport_size({"width": width, "height": height})

    def complaints(self) -> list[str]:
        """What the console has complained of since the last call."""
        complaints, self._complaints = self._complaints, []
        return complaints


class Firefox(Page):
    """Firefox without a window, driven by WebDriver BiDi."""

    name = "firefox"

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent = 0
        self._complaints: list[str] = []
        session = self._ask("session.new", capabilities={})
        self.version = f"Firefox {session['capabilities']['browserVersion']}"
        self._ask("session.subscribe", events=["log.entryAdded"])
        self._tab = self._ask("browsingContext.getTree")["contexts"][0]["context"]

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(PATIENCE_S))).get("id") != self._sent:
            self._note(answer["params"])
        assert answer["type"] == "success", answer
        return answer["result"]

    def _note(self, entry: Any) -> None:
        if entry["level"] in ("error", "warn"):
            self._complaints.append(entry["text"])

    def open(self, url: str) -> None:
        """Load a page to its end."""
        self._ask("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def run(self, function: str, *arguments: Any) -> Any:
        """Call a JavaScript function in the page."""
        answer = self._ask(
            "script.callFunction",
            functionDeclaration=WAIT.format(function),
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            awaitPromise=True,
            target={"context": self._tab},
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    def type(self, text: str) -> None:
        """Press keys, in the element that has the focus."""
        self._ask("input.performActions", context=self._tab, actions=keys(text))

    def size(self, width: int, height: int) -> None:
        """Give the page this size, in CSS pixels."""
        viewport = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self._tab, viewport=viewport)

    def complaints(self) -> list[str]:
        """What the console has complained of since the last call."""
        self.run("() => 1")  # what was sent before has arrived when this is answered
        complaints, self._complaints = self._complaints, []
        return complaints

    def close(self) -> None:
        """End the browser."""
        self._ask("browser.close")


class WebKit(Page):
    """WebKitGTK in its smallest browser, driven by WebDriver. Its console is not to be had: see `LISTEN`."""

    name = "webkit"

    def __init__(self, url: str) -> None:
        self._url = f"{url}/session"
        wanted = {"webkitgtk:browserOptions": {"binary": mini_browser(), "args": ["--automation"]}}
        session = self._ask("POST", "", capabilities={"alwaysMatch": wanted})
        self.version = f"WebKitGTK {session['capabilities']['browserVersion']}"
        self._url += f"/{session['sessionId']}"

    def _ask(self, method: str, path: str, **parameters: Any) -> Any:
        body = json.dumps(parameters).encode() if method == "POST" else None
        request = urllib.request.Request(self._url + path, body, {"Content-Type": "application/json"})
        request.method = method
        try:
            with urllib.request.urlopen(request, timeout=3 * PATIENCE_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def open(self, url: str) -> None:
        """Load a page to its end, then listen to what it complains of."""
        self._ask("POST", "/url", url=url)
        self.run(LISTEN)

    def run(self, function: str, *arguments: Any) -> Any:
        """Call a JavaScript function in the page."""
        call = f"({WAIT.format(function)})(json)"
        script = f"const [json, done] = arguments; {call}.then(done, (error) => done('!' + error));"
        answer = self._ask("POST", "/execute/async", script=script, args=[json.dumps(arguments)])
        assert not answer.startswith("!"), answer
        return json.loads(answer)

    def type(self, text: str) -> None:
        """Press keys, in the element that has the focus."""
        self._ask("POST", "/actions", actions=keys(text))

    def size(self, width: int, height: int) -> None:
        """Give the page this size, in CSS pixels: the window is larger by its frame."""
        extra = [0, 0]
        for _ in range(SIZINGS):
            self._ask("POST", "/window/rect", width=width + extra[0], height=height + extra[1])
            inner = self.run("() => [innerWidth, innerHeight]")
            if inner == [width, height]:
                return
            extra = [max(0, extra[0] + width - inner[0]), max(0, extra[1] + height - inner[1])]
        self.until("(...size) => innerWidth === size[0] && innerHeight === size[1]", width, height)

    def complaints(self) -> list[str]:
        """What the page has complained of since the last call."""
        return self.run("() => window.complaints.splice(0)")

    def close(self) -> None:
        """End the browser."""
        self._ask("DELETE", "")


def keys(text: str) -> list[dict[str, Any]]:
    """The keys of a text, each pressed and released (WebDriver section 15)."""
    actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
    return [{"type": "key", "id": "keyboard", "actions": actions}]


# Starting and ending them -------------------------------------------------------------------------


@contextmanager
def process(*command: str, **how: Any) -> Iterator[subprocess.Popen[str]]:
    """A program for as long as the block runs, and what it started."""
    started = subprocess.Popen(command, start_new_session=True, text=True, **how)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, 15)
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(PATIENCE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, 9)


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Chromium for as long as the block runs."""
    from tests.support.browsing import chromium

    with chromium() as browser:
        yield Chromium(browser)


@contextmanager
def firefox() -> Iterator[Firefox]:
    """Firefox for as long as the block runs, with a profile of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in QUIET_FIREFOX.items()
        ]
        (Path(profile) / "user.js").write_text("\n".join(lines), encoding="utf-8")
        command = (tools.find("firefox"), "--headless", "--no-remote", "--remote-debugging-port=0")
        with process(
            *command, "--profile", profile, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as started:
            listening = (re.search(r"WebDriver BiDi listening on (\S+)", line) for line in started.stderr)
            url = next(filter(None, listening))[1]
            with started.stderr, connect(f"{url}/session", max_size=None, ping_interval=None) as socket:
                page = Firefox(socket)
                yield page
                page.close()


@contextmanager
def display() -> Iterator[dict[str, str]]:
    """A virtual screen; yields the environment of a program that draws on it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        (folder / "gtk-3.0").mkdir()
        (folder / "gtk-3.0" / "gtk.css").write_text(NARROW_GTK, encoding="ascii")
        reading, writing = os.pipe()
        command = (tools.find("xvfb"), "-displayfd", str(writing), "-noreset", "-nolisten", "tcp")
        screen = ("-screen", "0", "1600x1200x24")
        stack.enter_context(process(*command, *screen, pass_fds=[writing], stderr=subprocess.DEVNULL))
        os.close(writing)
        with os.fdopen(reading) as number:
            shown = f":{number.readline().strip()}"
        yield {
            **os.environ,
            "DISPLAY": shown,
            # Without a graphics card its compositor would take more processor time than all the rest.
            "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
            **dict.fromkeys(("XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(folder)),
        }


@contextmanager
def webkit() -> Iterator[WebKit]:
    """WebKit for as long as the block runs."""
    port = free_port()
    with display() as environment:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
        with process(tools.find("webkit"), f"--port={port}", **quiet):
            url = f"http://127.0.0.1:{port}"
            until(lambda: answers(f"{url}/status"), lambda: "WebKit's driver answers")
            page = WebKit(url)
            yield page
            page.close()


@contextmanager
def webkit_console(*urls: str) -> Iterator[Callable[[], list[str]]]:
    """WebKit without a driver, a tab for each address; yields what their consoles have logged up to now."""
    with display() as environment, tempfile.NamedTemporaryFile() as output:
        command = ("stdbuf", "-oL", mini_browser(), "--enable-write-console-messages-to-stdout=true")
        with process(*command, *urls, stdout=output, stderr=subprocess.STDOUT, env=environment):
            yield lambda: [line for line in Path(output.name).read_text().splitlines() if "CONSOLE" in line]


def answers(url: str) -> bool:
    """Whether there is a server."""
    with contextlib.suppress(OSError), urllib.request.urlopen(url):
        return True
    return False


def mini_browser() -> str:
    """The small browser that WebKitGTK brings."""
    folders = [place for root in ("lib/*", "lib", "libexec", "lib64") for place in glob.glob(f"/usr/{root}")]
    found = [path for folder in folders for path in glob.glob(f"{folder}/webkit2gtk-4.*/MiniBrowser")]
    return max(found)


ENGINES = {
    "chromium": (chromium, ["chromium"]),
    "firefox": (firefox, ["firefox"]),
    "webkit": (webkit, ["webkit", "xvfb"]),
}
"""How each engine is started, and the tools it needs."""
