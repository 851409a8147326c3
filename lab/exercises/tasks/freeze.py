"""A chat room that keeps its messages in Redis: it stores a message, then sends it to all users."""

import asyncio
import os

import redis
import tornado.web
import tornado.websocket

KEY = os.environ["KEY_PREFIX"] + "history"
store = redis.from_url(os.environ["REDIS_URL"])


class Chat(tornado.websocket.WebSocketHandler):
    """One user in the room."""

    users = set()

    def open(self):
        """A user joins."""
        self.users.add(self)

    def on_message(self, message):
        """Store the message, then send it to all users."""
        store.rpush(KEY, message)
        store.ltrim(KEY, -100, -1)
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
