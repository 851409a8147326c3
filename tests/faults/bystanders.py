"""What else happens in a lab during a soak: a class's pages, the teacher's reports, and refused requests."""

import asyncio
import json
from contextlib import suppress
from itertools import count
from uuid import uuid4

import aiohttp

from tests.faults.scene import Scene

PACE_S = 2.0
AGAIN_S = 3.0
JSON = {"Content-Type": "application/json"}
REFUSED = (
    ("GET", "/nothing", {}, None),
    ("GET", "/longpoll?after=x", {}, None),
    ("GET", "/room?mode=pigeon", {}, None),
    ("POST", "/sse", JSON, b'{"mid":'),
    ("POST", "/sse", JSON, json.dumps({"mid": str(uuid4()), "username": "x", "body": "y" * 501}).encode()),
    ("DELETE", "/history", {}, None),
    ("GET", "/teacher/meters.json", {"Authorization": "Bearer wrong"}, None),
    ("GET", "/history", {"Host": "elsewhere.example"}, None),
)
"""One after the other: paths, cursors, bodies, methods, keys and hosts that the lab does not accept."""
LOOKS = ("/teacher/meters.json", "/teacher/meters.csv", "/meters", "/metrics", "/history", "/healthz")
PAGES = ("/", "/compare", "/room?mode=sse", "/teacher", "/connections", "/technique/longpoll")
TEACHER = b"teacher?token="


class Bystanders:
    """Clients that do not listen to the room as others do."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.token = token(scene)
        self.done = {"refused": 0, "looks": 0, "news": 0, "users": 0}
        """How often each has happened."""

    async def __aenter__(self) -> "Bystanders":
        self.session = aiohttp.ClientSession(self.scene.url, timeout=aiohttp.ClientTimeout(30))
        works = (self.refuse, self.look, self.compare, self.join)
        self.tasks = [asyncio.create_task(self.again(work)) for work in works]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.session.close()

    async def again(self, work) -> None:
        """Begin again whenever the lab does not answer."""
        while True:
            with suppress(TimeoutError, aiohttp.ClientError, OSError):
                await work()
            await asyncio.sleep(AGAIN_S)

    async def refuse(self) -> None:
        """Ask for what the lab refuses, one request at a time."""
        for method, path, headers, body in REFUSED:
            async with self.session.request(method, path, headers=headers, data=body) as answer:
                await answer.read()
            self.done["refused"] += answer.status >= 400
            await asyncio.sleep(PACE_S)

    async def look(self) -> None:
        """Poll the reports as the teacher's scripts do, and open each page now and then."""
        own = {"Authorization": f"Bearer {self.token}"}
        for page in PAGES:
            for path in (*LOOKS, page):
                async with self.session.get(path, headers=own) as answer:
                    await answer.read()
                self.done["looks"] += answer.status == 200
                await asyncio.sleep(PACE_S)

    async def compare(self) -> None:
        """Keep the page that draws lanes open, which sees the bytes of its own requests too."""
        async with self.session.ws_connect("/live") as live:
            await live.send_json({"type": "lanes"})
            await live.send_json({"type": "follow", "as": str(uuid4())})
            async for _ in live:
                self.done["news"] += 1

    async def join(self) -> None:
        """Users with new names open a room, poll twice, send, see the cost of their client, and leave."""
        for number in count():
            client, name = str(uuid4()), f"student {number}"
            async with self.session.ws_connect("/live") as live:
                mid = str(uuid4())
                await live.send_json({"type": "client", "client": client, "mode": "shortpoll"})
                await live.send_json({"type": "mine", "mid": mid})
                for _ in range(2):
                    await self.poll(client, name)
                await self.session.post("/sse", json={"mid": mid, "username": name, "body": "hello"})
                await live.send_json({"type": "bytes", "mid": mid})
                await asyncio.sleep(PACE_S)
            self.done["users"] += 1
            await asyncio.sleep(PACE_S)

    async def poll(self, client: str, name: str) -> None:
        """One poll of a user."""
        query = {"after": "latest", "client": client, "username": name}
        async with self.session.get("/shortpoll", params=query) as answer:
            await answer.read()


def token(scene: Scene) -> str:
    """The teacher's token, from the lines that the lab prints when it opens."""
    for line in scene.lab.process.stdout:
        if TEACHER in line:
            return line.split(TEACHER)[1].decode().strip()
    return ""
