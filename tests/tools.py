"""The programs some tests want and pip cannot bring: how to find each, and how to get it.

One table for both of its readers: `python3 -m tests`, which installs what it may, and conftest.py, which
skips (or, with CI=true, fails) the tests whose program is missing. Readable by Python 3.8, no package needed.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from typing import NamedTuple


class Tool(NamedTuple):
    """Why tests want a program, its names, its Debian packages (`|`: or these), how to get it elsewhere."""

    why: str
    executables: tuple[str, ...]
    apt: str
    elsewhere: str


TOOLS = {
    "chromium": Tool(
        "the pages are tested in a real browser",
        (
            "chromium-headless-shell",  # the same engine without a window: half the work of the whole browser
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
            r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        ),
        "chromium-headless-shell | chromium",
        "install Chromium or Chrome from https://www.google.com/chrome/",
    ),
    "firefox": Tool(
        "the pages must also work in Firefox",
        ("firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"),
        "firefox-esr",
        "install Firefox from https://www.mozilla.org/firefox/",
    ),
    "webkit": Tool(
        "the pages must also work in WebKit, the engine of Safari and of every browser on an iPhone",
        ("WebKitWebDriver",),
        "webkit2gtk-driver",
        "install WebKitGTK's WebDriver (Linux only; Fedora: dnf install webkit2gtk4.1)",
    ),
    "xvfb": Tool(
        "WebKit wants a screen, also on a machine that has none",
        ("Xvfb",),
        "xvfb",
        "install Xvfb (Linux only; Fedora: dnf install xorg-x11-server-Xvfb)",
    ),
    "nginx": Tool(
        "streams must come through a proxy that likes to buffer",
        ("nginx",),
        "nginx",
        "install nginx (macOS: brew install nginx)",
    ),
    "systemd-analyze": Tool(
        "the unit in the recipe must be one that systemd reads",
        ("systemd-analyze",),
        "systemd",
        "use a Linux with systemd",
    ),
    "haproxy": Tool(
        "the faults of a proxy must be told apart from those of nginx",
        ("haproxy",),
        "haproxy",
        "install HAProxy (macOS: brew install haproxy)",
    ),
    "caddy": Tool(
        "the faults of a proxy must be told apart from those of nginx",
        ("caddy",),
        "caddy",
        "install Caddy (macOS: brew install caddy)",
    ),
    "tshark": Tool(
        "another program must dissect the same frames alike",
        ("tshark",),
        "tshark",
        "install Wireshark (macOS: brew install wireshark)",
    ),
    "redis-server": Tool(
        "the lab must also work with an installed Redis, not only with the one it brings",
        ("redis-server", "valkey-server"),
        "redis-server",
        "install Redis (macOS: brew install redis; Windows: inside WSL)",
    ),
    "chinese-font": Tool(
        "without one the screenshots show boxes where Chinese should be",
        (),
        "fontconfig fonts-wqy-microhei",  # 5 MB; fonts-noto-cjk is 90
        "install any font that fc-list :lang=zh then names",
    ),
}


@functools.lru_cache(maxsize=None)  # the font costs a process, and every test that needs it asks
def find(name):
    """Return where the tool is, or None when this machine does not have it."""
    if name == "chinese-font":
        return chinese_font()
    path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin"  # Debian keeps nginx there
    return next(filter(None, (shutil.which(exe, path=path) for exe in TOOLS[name].executables)), None)


def chinese_font():
    """Return the file of a font with Chinese in it; macOS and Windows always have theirs."""
    if sys.platform in ("darwin", "win32"):
        return "system"
    try:
        found = subprocess.run(["fc-list", ":lang=zh", "file"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.split(":")[0] or None


def command(name):
    """Return the line that gets the tool on this machine."""
    tool = TOOLS[name]
    if not shutil.which("apt-get"):
        return tool.elsewhere
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install {tool.apt.split(' | ')[-1]}"
