"""Short polling: the client asks again and again whether there is anything new.

    client                       server
      |── GET ?after=7 ────────────>|
      |<──────────── nothing ───────|      empty when there is no new message
      :  (waits an interval)        :   <- message 8 arrives
      |── GET ?after=7 ────────────>|
      |<──────────── message 8 ─────|      received with the next request

A browser does this with `fetch()` and a timer.
"""

import asyncio

from lab.clients import polling
from lab.clients.link import FETCH, FRESH, Link, accepted
from lab.json_types import JsonObject

unframe = polling.unframe


async def listen(link: Link) -> None:
    """Send a request, wait an interval, and repeat for ever."""
    while True:
        async with link.request("GET", "/shortpoll" + link.query(), FETCH | FRESH) as answer:
            await accepted(answer)
            link.received(unframe(await answer.read()))
        await asyncio.sleep(link.interval)


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message; returns its id."""
    return await link.post("/shortpoll", message)
