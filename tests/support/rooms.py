"""A room without HTTP: opened, filled, and a listener that keeps what it receives."""

import asyncio
import json
from contextlib import asynccontextmanager
from uuid import uuid4

from lab.room.history import History
from lab.room.messages import Draft
from lab.room.room import Room
from tests.support.wire import DEADLINE_S, eventually


@asynccontextmanager
async def opened(url, name=None):
    """A room that is open for the length of the block."""
    room = Room(History(url, name or uuid4().hex))
    await room.open()
    try:
        yield room
    finally:
        async with asyncio.timeout(DEADLINE_S):
            await room.close()


def draft(body="hello", mid=None):
    """A message to store."""
    return Draft(mid or str(uuid4()), "ann", body)


async def say(room, count):
    """Store so many messages, wait until the room has them all, and return their cursors."""
    cursors = [(await room.publish(draft(f"message {place}")))[0] for place in range(count)]
    await reaches(room, cursors[-1])
    return cursors


async def reaches(room, cursor):
    """Wait until the room has this message."""

    async def probe():
        return room.top >= cursor

    await eventually(probe, f"the room reaches {cursor}")


def kinds(batch):
    """The kinds of events in a batch."""
    return [event.kind for event in batch.events]


def cursors(batch):
    """The cursors of the messages in a batch."""
    return [event.cursor for event in batch.messages]


def bodies(batch):
    """What the messages in a batch say."""
    return [json.loads(event.json)["body"] for event in batch.messages]


class ListenerLog:
    """A listener that keeps what it receives."""

    def __init__(self):
        self.batches = []
        self.goodbye = None

    def __len__(self):
        return 1

    def notify(self, batch):
        """Keep it."""
        self.batches.append(batch)

    def send_bye(self, retry_ms):
        """Keep when to come back."""
        self.goodbye = retry_ms

    @property
    def events(self):
        """Everything received, in order."""
        return [event for batch in self.batches for event in batch.events]
