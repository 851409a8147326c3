"""Long polling: the client asks once, and the server keeps the request open until there is a message.

    client                       server
      |── GET ?after=7 ────────────>|
      :                             :      waits
      :                             :   <- message 8 arrives
      |<──────────── message 8 ─────|      received at once
      |── GET ?after=8 ────────────>|      the next request at once: later messages wait in the server

A browser does this with `fetch()` alone.
"""

from lab.clients import polling
from lab.clients.link import FETCH, FRESH, Link, accepted
from lab.json_types import JsonObject

unframe = polling.unframe


async def listen(link: Link) -> None:
    """Send a request and wait for the response, for ever."""
    while True:
        path = "/longpoll" + link.query(hold=f"{link.hold:g}")
        async with link.request("GET", path, FETCH | FRESH) as answer:
            await accepted(answer)
            link.received(unframe(await answer.read()))


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message; returns its id."""
    return await link.post("/longpoll", message)
