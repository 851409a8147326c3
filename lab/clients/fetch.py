"""HTTP streaming, read by fetch(): a response that never ends, with one JSON object on each line.

    client                       server
      |── GET ?after=7 ────────────>|
      |<──── 200, x-ndjson ─────────|      the response begins, and never ends
      :                             :   <- message 8 arrives
      |<──── {…8…} and a line end ──|      a line end completes the event
      |<──── {…9…} and a line end ──|      after a break, the client reconnects

A browser does this with `fetch()` and the reader of its body.
"""

import json

from lab.clients.link import FETCH, FRESH, Link, Unframed, shared
from lab.json_types import JsonObject


@shared
def unframe(data: bytes) -> Unframed:
    """The events whose line is complete; what follows the last line end is the rest."""
    *lines, rest = data.split(b"\n")
    return Unframed([json.loads(line) for line in lines if line.strip()], rest=rest)


async def listen(link: Link) -> None:
    """Request the stream, and read each line as it arrives."""
    async with link.stream("/fetch" + link.query(), FETCH | FRESH) as answer:
        rest = b""
        async for chunk in answer.content.iter_any():
            rest = link.received(unframe(rest + chunk))


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message; returns its id."""
    return await link.post("/fetch", message)
