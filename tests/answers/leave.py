"""A chat room that waits for each send: a message goes to all users, including its sender."""

import asyncio
import os
from contextlib import suppress

import tornado.web
import tornado.websocket


class Chat(tornado.websocket.WebSocketHandler):
    """One user in the room."""

    users = set()  # noqa: RUF012 - one for all, on purpose

    def open(self):
        """A user joins."""
        self.users.add(self)

    async def on_message(self, message):
        """Send the message to all who are here now; one of them may leave while another is waited for."""
        for user in list(self.users):
            with suppress(tornado.websocket.WebSocketClosedError):
                await user.write_message(message)

    def on_close(self):
        """A user leaves."""
        self.users.discard(self)


async def main():
    """Serve until Ctrl-C."""
    app = tornado.web.Application([(r"/chat", Chat)])
    app.listen(int(os.environ["PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


with suppress(KeyboardInterrupt):
    asyncio.run(main())
