"""JSONP polling: long polling by a `<script>` tag, because scripts may be fetched from any site.

    client                       server
      |── <script src=?after=7> ───>|
      :                             :      waits for the script to load
      :                             :   <- message 8 arrives
      |<──── /**/f({message 8}) ────|      it calls f, which the page has defined
      |── <script src=?after=8> ───>|      the next script element

A browser does this with script elements; here the call is parsed as text.
"""

import json
from urllib.parse import quote

from lab.clients import polling
from lab.clients.link import Link, Unframed, accepted
from lab.json_types import JsonObject

CALLBACK = "f"
SCRIPT = {"Accept": "*/*", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}
"""What Chromium adds for a script element."""


def unframe(data: bytes) -> Unframed:
    """One response: the argument of the call is a poll's response."""
    return polling.unframe(argument(data))


def argument(data: bytes) -> bytes:
    """The text between the parentheses of the call."""
    return data[data.index(b"(") + 1 : data.rindex(b")")]


async def listen(link: Link) -> None:
    """Request a script and wait for its response, for ever."""
    while True:
        path = "/jsonp" + link.query(callback=CALLBACK, hold=f"{link.hold:g}")
        async with link.request("GET", path, SCRIPT) as answer:
            await accepted(answer)
            link.received(unframe(await answer.read()))


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message in the query of a script; returns its id, the argument of the call."""
    fields = "&".join(f"{name}={quote(value, safe='')}" for name, value in message.items())
    async with link.request("GET", f"/jsonp/send?callback={CALLBACK}&{fields}", SCRIPT) as answer:
        await accepted(answer)
        stored: JsonObject = json.loads(argument(await answer.read()))
        return stored
