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

    users = set()

    async def open(self):
        """Send the history to a user that joins."""
        for message in await store.lrange(KEY, -1, -SIZE):
            self.write_message(message)
        self.users.add(self)

    async def on_message(self, message):
        """Store the message, and send it to all users."""
        await store.rpush(KEY, message)
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
