"""Long polling: the client asks once, and the server keeps the request until there is something to say.

    client                       server
      |── GET ?after=7 ────────────>|
      :                             :      waits, and does nothing meanwhile
      :                             :   <- message 8 arrives
      |<──────────── message 8 ─────|      hears of it at once
      |── GET ?after=8 ────────────>|      asks again at once: what arrives on the way waits at the server

A browser does this with `fetch()` alone.
"""

from lab.clients import polling
from lab.clients.link import FETCH, FRESH, Link, accepted
from lab.json_types import JsonObject

unframe = polling.unframe


async def listen(link: Link) -> None:
    """Ask and wait for the answer, for ever."""
    while True:
        path = "/longpoll" + link.query(hold=f"{link.hold:g}")
        async with link.request("GET", path, FETCH | FRESH) as answer:
            await accepted(answer)
            link.received(unframe(await answer.read()))


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message; its id comes back."""
    return await link.post("/longpoll", message)
