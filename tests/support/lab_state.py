"""What a lab holds, seen from outside: messages, open requests, bytes; and messages put into it."""

from tests.support.base_listener import Listener
from tests.support.drafts import epoch, number
from tests.support.listeners import ShortPoll
from tests.support.wire import eventually, fetch

KEPT = 100
"""Messages that the history keeps."""


async def history(port: int) -> dict:
    """The kept messages and the cursor behind them."""
    return (await fetch(port, "GET", "/history")).json


async def top(port: int) -> str:
    """The cursor behind the newest message that the room has."""
    return (await history(port))["cursor"]


async def meters(port: int) -> dict:
    """What the lab has counted."""
    return (await fetch(port, "GET", "/meters")).json


async def held(port: int, mode: str) -> int:
    """How many receive requests of this technique are open."""
    return (await meters(port))["techniques"][mode]["open"]


async def is_held(port: int, mode: str, count: int = 1) -> None:
    """Wait until so many receive requests of this technique are open."""

    async def probe() -> bool:
        return await held(port, mode) == count

    await eventually(probe, f"{count} open requests of {mode}")


async def publish(port: int, count: int, text: str = "message") -> list[str]:
    """Send so many messages one after the other; returns their cursors when the room has them."""
    sender = ShortPoll(port)
    ids = [(await sender.send(f"{text} {place}")).id for place in range(count)]
    await sender.leave()
    if ids:
        await eventually(lambda: is_in_room(port, ids[-1]), f"the room has {ids[-1]}")
    return ids


async def several(sender: Listener, count: int) -> list[str]:
    """Send so many messages by this client; returns their cursors."""
    return [(await sender.send(f"message {place}")).id for place in range(count)]


async def here(port: int) -> str:
    """A cursor behind everything that was sent so far: that of a message which the room has just read."""
    return (await publish(port, 1, "here"))[0]


async def is_in_room(port: int, id_: str) -> bool:
    """Whether the room knows of this message."""
    place = await top(port)
    return (epoch(place), number(place)) >= (epoch(id_), number(id_))


async def is_conserved(port: int) -> None:
    """Wait until every byte of the total belongs to a technique or to the rest."""

    async def probe() -> bool:
        counted = await meters(port)
        uses = [both[use] for both in counted["techniques"].values() for use in ("receive", "send")]
        return all(
            sum(use[way] for use in [*uses, counted["other"]]) == counted["total"][way]
            for way in ("bytes_in", "bytes_out")
        )

    await eventually(probe, "every byte is credited")
