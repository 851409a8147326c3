"""The forever iframe, or Comet: a page in a hidden frame that never finishes loading.

    client                       server
      |── <iframe src=?after=7> ───>|
      |<──── <!doctype html>… ──────|      the page begins, and never ends
      :                             :   <- message 8 arrives
      |<── <script>recv(8)</script> |      runs as soon as its end tag has arrived
      |<── <script>recv(9)</script> |

A browser does this with a hidden frame; here the script elements are parsed as text.
"""

import json
import re

from lab.clients.link import Event, Link, Unframed, shared
from lab.json_types import JsonObject

ELEMENT = re.compile(rb'<script nonce="[^"]*">parent\.pushlab\((.*?)\)</script>\n')
FRAME = {
    "Upgrade-Insecure-Requests": "1",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,"
    "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "iframe",
}
"""What Chromium adds for a frame."""


def unframe(data: bytes) -> Unframed:
    """The script elements that are complete: one event each. What follows the last one is the rest."""
    elements = list(ELEMENT.finditer(data))
    rest = data[elements[-1].end() :] if elements else data
    return Unframed([event(element[1]) for element in elements], rest=rest)


@shared
def event(argument: bytes) -> Event:
    """The argument of the call; the nonce around it is another one in each response."""
    found: Event = json.loads(argument)
    return found


async def listen(link: Link) -> None:
    """Request the page, and read each script as it arrives."""
    async with link.stream("/iframe" + link.query(), FRAME) as answer:
        rest = b""
        async for chunk in answer.content.iter_any():
            rest = link.received(unframe(rest + chunk))


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message; returns its id."""
    return await link.post("/iframe", message)
