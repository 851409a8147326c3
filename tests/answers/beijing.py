"""A server that sends the time in Beijing, once per second, to every client: one clock for all."""

import asyncio
import datetime
import os
import time

import tornado.web
import tornado.websocket

BEIJING = datetime.timezone(datetime.timedelta(hours=8))


class Time(tornado.websocket.WebSocketHandler):
    """One client that wants the time."""

    clients = set()  # noqa: RUF012 - one for all, on purpose

    def open(self):
        """Remember the client."""
        self.clients.add(self)

    def on_close(self):
        """Forget the client."""
        self.clients.discard(self)


async def tick():
    """Send the time at the beginning of each second."""
    while True:
        await asyncio.sleep(1 - time.time() % 1)
        text = datetime.datetime.now(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        for client in list(Time.clients):
            try:
                client.write_message(text)
            except tornado.websocket.WebSocketClosedError:
                Time.clients.discard(client)


async def main():
    """Serve until the program is ended."""
    app = tornado.web.Application([(r"/time", Time)])
    app.listen(int(os.environ["PORT"]), "127.0.0.1")
    await tick()


asyncio.run(main())
