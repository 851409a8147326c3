"""A listener that reconnects by itself and continues at its cursor."""

import aiohttp

from lab.catalogue import client_side
from lab.clients.link import Link, Refused, SentAway

TEMPORARY = (429, 502, 503, 504)
"""Statuses of temporary refusals."""


async def keep_receiving(mode: str, link: Link) -> None:
    """Receive by one technique for ever, and reconnect after each failure.

    Raises `Refused` for a permanent refusal.
    """
    failures = 0
    while True:
        place = link.after
        try:
            await client_side(mode).listen(link)
            link.fails(aiohttp.ServerDisconnectedError())  # ended without an error, but it should go on
        except Refused as refused:
            link.fails(refused)
            if refused.status not in TEMPORARY:
                raise
        except (SentAway, TimeoutError, aiohttp.ClientError, OSError) as error:
            link.fails(error)  # it reconnects below, as after an orderly end
        failures = 0 if link.after != place else failures + 1
        await link.pause(failures)
