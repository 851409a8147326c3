"""A page on `/live`: sends messages, and receives the answers that are no update."""

import json

from tests.support.framings import TEXT, client_frame, read_frame
from tests.support.listeners import handshake
from tests.support.wire import Wire

NEWS = ("news",)


class LivePage:
    """A page on `/live`: sends messages, and receives the answers that are no update."""

    @classmethod
    async def open(cls, school):
        """Connect."""
        page = cls()
        page.wire = await Wire.open(school.lab.port)
        await page.wire.request("GET", "/live?light=1", handshake())
        await page.wire.read_head()
        return page

    async def tell(self, **message):
        """Send a message."""
        await self.wire.send(client_frame(TEXT, json.dumps(message).encode()))

    async def answer(self):
        """The next answer."""
        while (found := json.loads((await read_frame(self.wire)).payload))["type"] in NEWS:
            pass
        return found

    async def news(self):
        """The next update."""
        while (found := json.loads((await read_frame(self.wire)).payload))["type"] not in NEWS:
            pass
        return found

    async def ask(self, **message):
        """Send a message and return its answer."""
        await self.tell(**message)
        return await self.answer()

    async def claims(self, mid):
        """Claim a mid, and wait until the lab has processed it; returns the code of its refusal."""
        await self.tell(type="mine", mid=mid)
        found = await self.ask(type="clock", at=1)
        if found["type"] == "clock":
            return None
        assert (await self.answer())["type"] == "clock"
        return found["error"]["code"]

    async def bytes_of(self, mid):
        """Ask for the bytes of a send."""
        return await self.ask(type="bytes", mid=mid)

    async def leave(self):
        """Disconnect."""
        await self.wire.close()
