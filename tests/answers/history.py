"""A chat room with a history: a user that joins receives the last 100 messages, then all new ones."""

import asyncio
import os

import redis.asyncio
import tornado.web
import tornado.websocket

KEY = os.environ["KEY_PREFIX"] + "history"
SIZE = 100
store = redis.asyncio.from_url(os.environ["REDIS_URL"])


class Chat(tornado.websocket.WebSocketHandler):
    """One user in the room."""

    users = set()  # noqa: RUF012 - one for all, on purpose
    one_at_a_time = asyncio.Lock()
    """Between reading the history and joining, no message may be sent: it would be missed, or come twice."""

    async def open(self):
        """Send the history to a user that joins."""
        async with self.one_at_a_time:
            for message in await store.lrange(KEY, -SIZE, -1):
                await self.write_message(message)
            self.users.add(self)

    async def on_message(self, message):
        """Store the message, and send it to all users."""
        async with self.one_at_a_time:
            await store.rpush(KEY, message)
            await store.ltrim(KEY, -SIZE, -1)
            for user in list(self.users):
                user.write_message(message)

    def on_close(self):
        """A user leaves."""
        self.users.discard(self)


async def main():
    """Serve until the program is ended."""
    app = tornado.web.Application([(r"/chat", Chat)])
    app.listen(int(os.environ["PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
