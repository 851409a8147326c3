"""What readers do: stay away, change their technique, read slowly or not at all."""

import asyncio
import time
from itertools import permutations

from lab.catalogue import WORDS
from tests.faults.crowd import Guest
from tests.faults.scene import Scene

KEPT = 100


async def be_absent(scene: Scene) -> None:
    """Guests are away for 99, 100, 101 and 10,000 messages: told that they missed 0, 0, 1 and 9,900."""
    await scene.speaker.hush(10)
    for away in (99, 100, 101, 250 if scene.short else 10_000):
        await scene.all_heard()
        seen = len(scene.book)
        await asyncio.gather(*(guest.go() for guest in scene.guests))
        await scene.speaker.burst(away)
        await asyncio.gather(*(guest.come() for guest in scene.guests))
        await scene.all_heard()
        missed = [record.n for record in scene.book[seen:] if record.kind == "gap"]
        if missed != [away - KEPT] * len(scene.guests) * (away > KEPT):
            scene.complaints.append(f"away for {away}: told of {sorted(set(missed))} missed")
    scene.healed = time.monotonic()
    scene.speaker.talk(scene.scale.rate)


async def switch(scene: Scene) -> None:
    """Every technique is left for every other in mid-stream, 30 ways, with one cursor."""
    start = "{}-{}".format(*scene.last)
    movers = []
    for old, new in permutations(WORDS, 2):
        guest = Guest(f"{old} to {new}", old, scene.url, start, scene.book)
        await guest.come()
        movers.append((guest, old, new))
        scene.guests.append(guest)
    for turn in range(round(6 * scene.scale.pace)):
        await asyncio.sleep(0.3)
        await asyncio.gather(*(guest.switch(old if turn % 2 else new) for guest, old, new in movers))
