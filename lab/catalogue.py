"""The techniques by name: the one list from which everything else in the lab is looked up.

Adding a technique is one line here and one file of that name on each side: `lab/techniques/`,
`lab/clients/` and `pages/static/techniques/`. Nothing else in the lab names them or counts them.
"""

from importlib import import_module
from types import ModuleType
from typing import NamedTuple


class Technique(NamedTuple):
    """One way to push: its mode, its titles, its verb towards the room, its colours, its sign."""

    mode: str
    title: str
    title_zh: str
    verb: str
    light: str
    dark: str
    sign: str


TECHNIQUES = {
    technique.mode: technique
    for technique in (
        Technique("shortpoll", "short polling", "短轮询", "ask", "#B00020", "#FF7B8A", "A"),
        Technique("longpoll", "long polling", "长轮询", "wait", "#B25E00", "#FFB454", "B"),
        Technique("jsonp", "JSONP polling", "JSONP 轮询", "wait", "#6B4FBB", "#B9A5FF", "C"),
        Technique("iframe", "forever iframe (Comet)", "永久 iframe", "stream", "#7A5C00", "#E3C44B", "D"),
        Technique("sse", "server-sent events", "服务器推送事件", "stream", "#00695C", "#4FD8C4", "E"),
        Technique("fetch", "HTTP streaming (fetch)", "HTTP 流式响应", "stream", "#A0266D", "#FF8FC7", "F"),
        Technique("websocket", "WebSocket", "WebSocket", "stream", "#0B57D0", "#7FB2FF", "G"),
    )
}

MODES = tuple(TECHNIQUES)
PREFERENCE = ("websocket", "sse", "fetch", "longpoll", "shortpoll")
"""The techniques of a user that has chosen none, best first: the first that works in the user's network."""
DEFAULT = PREFERENCE[0]
"""The technique where no network decides."""
POLLS = tuple(mode for mode in PREFERENCE if TECHNIQUES[mode].verb != "stream")
"""Those of them that work in almost every network: each response ends."""


def server_side(mode: str) -> ModuleType:
    """The file that serves a technique: `lab/techniques/<mode>.py`."""
    return import_module(f"lab.techniques.{mode}")


def client_side(mode: str) -> ModuleType:
    """The file that receives by a technique: `lab/clients/<mode>.py`."""
    return import_module(f"lab.clients.{mode}")
