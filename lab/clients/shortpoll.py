"""Short polling: the client asks again and again whether there is anything new.

    client                       server
      |── GET ?after=7 ────────────>|
      |<──────────── nothing ───────|      asks in vain when nobody spoke meanwhile
      :  (waits an interval)        :   <- message 8 arrives
      |── GET ?after=7 ────────────>|
      |<──────────── message 8 ─────|      hears of it when it happens to ask

A browser does this with `fetch()` and a timer.
"""

import asyncio

from lab.clients import polling
from lab.clients.link import FETCH, FRESH, Link, accepted
from lab.json_types import JsonObject

unframe = polling.unframe


async def listen(link: Link) -> None:
    """Ask, wait an interval, ask again, for ever."""
    while True:
        async with link.request("GET", "/shortpoll" + link.query(), FETCH | FRESH) as answer:
            await accepted(answer)
            link.received(unframe(await answer.read()))
        await asyncio.sleep(link.interval)


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message; its id comes back."""
    return await link.post("/shortpoll", message)
