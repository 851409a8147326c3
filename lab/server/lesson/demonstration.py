"""The picture of the first minute: simulated clients, one of each technique, apart from the class.

They have a room, meters and a port of their own, so that no figure and no history of the lab contains them.
Only the compare page shows them, and never together with clients of the lab: the demonstration ends by itself
when the first of those receives, and at the teacher's first action about figures. It does not begin again.
"""

import asyncio
import logging
import random
import uuid
from contextlib import suppress
from dataclasses import replace
from json import dumps, loads

from tornado.web import Application

from lab.catalogue import MODES, server_side
from lab.errors import HistoryUnavailable
from lab.json_types import JsonObject
from lab.room.history import Unreachable
from lab.room.messages import Batch, Draft
from lab.room.room import Room
from lab.server.connections.addresses import LOOPBACK
from lab.server.connections.listen import listen
from lab.server.connections.metered_server import MeteredServer
from lab.server.lesson.simulated_students import random_body
from lab.server.lesson.subprocesses import end, module
from lab.techniques.context import Context

CLIENTS = "lab.experiment.demonstration"
PAUSE_S = (1.5, 2.5)
"""Bounds, in seconds, of the random pause between two messages: calm, and no lane is empty for long."""
PAYLOAD, INTERVAL_S = 40, 1.0
"""Characters of a message, and seconds between two short polls."""
PUBLISHING = "that sends messages in the demonstration"

logger = logging.getLogger("pushlab")


class Repeater:
    """A listener of one room that publishes each new message in another one too."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._publishing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return 0  # it is no client

    def notify(self, batch: Batch) -> None:
        """Publish the messages of this batch."""
        for event in batch.events:
            if event.kind == "message":
                fields = loads(event.json)
                self._begin(Draft(fields["mid"], fields["username"], fields["body"]))

    def _begin(self, draft: Draft) -> None:
        publishing = asyncio.create_task(publish(self._room, draft))
        self._publishing.add(publishing)
        publishing.add_done_callback(self._publishing.discard)

    def send_bye(self, retry_ms: tuple[int, int]) -> None:
        """The lab closes: its demonstration is closed too."""


class Parts:
    """What runs: the room, the server and the process of the clients."""

    def __init__(self, lab: Context, port: int) -> None:
        # The name is the same after a restart, so that a lab that was killed leaves at most one such room.
        room = Room(lab.room.history.of_room(f"demo-{port}"))
        settings = replace(lab.settings, host=LOOPBACK, certfile=None, keyfile=None, base="/", front=None)
        self.context = Context(room, settings, lab.backend)
        self.context.recorder.zero = lab.recorder.zero  # one time axis for both
        routes = [route for mode in MODES for route in server_side(mode).ROUTES]
        application = Application(
            [(*route, {"context": self.context}) for route in routes], log_function=quiet
        )
        self.server = MeteredServer(application, settings, self.context.meters)
        self.repeater = Repeater(room)
        self.process: asyncio.subprocess.Process | None = None

    async def open(self) -> None:
        """Open the room, listen, and start the clients. Raises `OSError`, or an error of Redis."""
        await self.context.room.history.forget()
        await self.context.room.open()
        sockets = listen(LOOPBACK, 0)
        self.server.add_sockets(sockets)
        link = {"url": f"http://{LOOPBACK}:{sockets[0].getsockname()[1]}", "interval": INTERVAL_S}
        link |= {"hold": self.context.settings.hold, "after": str(self.context.room.top)}
        self.process = await module(CLIENTS, dumps({"modes": MODES, "link": link}))

    async def close(self) -> None:
        """End the clients and close the rest; nothing of it stays in Redis."""
        self.server.stop()
        if self.process:
            await end(self.process)
        await self.server.close_all_connections()
        room = self.context.room
        await room.tasks.stop_all()  # first: the tail would begin a new history where it finds none
        with suppress(*Unreachable):
            await room.history.forget()
        await room.close()


class Demonstration:
    """The demonstration of one lab, which runs or not."""

    def __init__(self, lab: Context, name: str, port: int) -> None:
        self.lab = lab
        self.name = name
        """The user name of its messages."""
        self.port = port
        self._parts: Parts | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def context(self) -> Context | None:
        """Its room, meters and recorder, while it runs."""
        return self._parts.context if self._parts else None

    async def start(self) -> None:
        """Start it. Without it the lab works as well, so that a failure is only logged."""
        parts = Parts(self.lab, self.port)
        try:
            await parts.open()
        except (OSError, *Unreachable) as error:
            logger.info("The demonstration cannot start: %s.", error)
            return await parts.close()
        self._parts = parts
        self.lab.room.stream(parts.repeater, self.lab.room.top)
        parts.context.room.tasks.keep(PUBLISHING, self._publish)

    async def _publish(self) -> None:
        """Publish a message after a random pause."""
        await asyncio.sleep(random.uniform(*PAUSE_S))
        if context := self.context:
            await publish(context.room, Draft(str(uuid.uuid4()), self.name, random_body(PAYLOAD)))

    def look(self) -> None:
        """End it when a client of the lab receives, or has received."""
        if self._parts and any(m.open or m.receive.requests for m in self.lab.meters.techniques.values()):
            self.stop()

    def stop(self) -> None:
        """End it; from this moment on the pages show the lab. The processes end a moment later."""
        if parts := self._parts:
            self._parts = None
            self.lab.room.leave(parts.repeater)
            self._closing = asyncio.create_task(parts.close())

    async def close(self) -> None:
        """End it, and wait until its processes have ended."""
        self.stop()
        if self._closing:
            await self._closing

    def as_json(self) -> JsonObject:
        """The state for the pages; while it runs, with its meters."""
        if not (parts := self._parts):
            return {"running": False}
        parts.server.credit()
        return {"running": True, "meters": parts.context.meters.as_json()}


async def publish(room: Room, draft: Draft) -> None:
    """Publish a message; one that Redis does not store is missing in the picture only."""
    with suppress(HistoryUnavailable):
        await room.publish(draft)


def quiet(_: object) -> None:
    """Log nothing: these requests are not of the class."""
