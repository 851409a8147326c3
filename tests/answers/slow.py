"""A chat room that closes the connection of a user who does not read."""

import asyncio
import os

import tornado.web
import tornado.websocket

MOST = 200
"""Messages that may wait for one user."""


class Chat(tornado.websocket.WebSocketHandler):
    """One user in the room."""

    users = set()  # noqa: RUF012 - one for all, on purpose

    waiting = 0

    def open(self):
        """A user joins."""
        self.users.add(self)

    def on_message(self, message):
        """Send the message to all users; one with too many waiting is too slow, and must go."""
        for user in list(self.users):
            user.waiting += 1
            user.write_message(message).add_done_callback(user.sent)
            if user.waiting > MOST:
                self.users.discard(user)
                user.close(1008, "too slow")

    def sent(self, future):
        """The system has taken a message for this user, or its connection is closed."""
        self.waiting -= 1
        future.exception()

    def on_close(self):
        """A user leaves."""
        self.users.discard(self)


async def main():
    """Serve until the program is ended."""
    app = tornado.web.Application([(r"/chat", Chat)])
    app.listen(int(os.environ["PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
