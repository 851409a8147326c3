"""Staying with it: a listener that comes back by itself, at the place where it was."""

import aiohttp

from lab.catalogue import client_side
from lab.clients.link import Link, Refused, SentAway

TEMPORARY = (429, 502, 503, 504)
"""Answers that mean "not now"."""


async def keep_receiving(mode: str, link: Link) -> None:
    """Listen by one technique for ever, whatever the network does.

    Raises `Refused` when the lab says no for good.
    """
    failures = 0
    while True:
        place = link.after
        try:
            await client_side(mode).listen(link)
            link.fails(aiohttp.ServerDisconnectedError())  # in order, but it should go on
        except Refused as refused:
            link.fails(refused)
            if refused.status not in TEMPORARY:
                raise
        except (SentAway, TimeoutError, aiohttp.ClientError, OSError) as error:
            link.fails(error)  # it comes back below, as after an orderly end
        failures = 0 if link.after != place else failures + 1
        await link.pause(failures)
