"""A chat room: what one user sends, all users receive."""

import asyncio
import os

import tornado.web
import tornado.websocket


class Chat(tornado.websocket.WebSocketHandler):
    """One user in the room."""

    users = set()

    def open(self):
        """A user joins."""
        self.users.add(self)

    def on_message(self, message):
        """Send the message to all users."""
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
