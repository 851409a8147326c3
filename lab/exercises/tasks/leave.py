"""A chat room that waits for each send: a message goes to all users, including its sender."""

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

    async def on_message(self, message):
        """Send the message to all users, one after the other."""
        for user in self.users:
            await user.write_message(message)

    def on_close(self):
        """A user leaves."""
        self.users.discard(self)


async def main():
    """Serve, and print how many users there are every ten seconds; an error must not end the room."""
    app = tornado.web.Application([(r"/chat", Chat)])
    app.listen(int(os.environ["PORT"]), "127.0.0.1")
    while True:
        try:
            await asyncio.sleep(10)
            print(len(Chat.users), "users")
        except:
            print("an error; the room goes on")


asyncio.run(main())
