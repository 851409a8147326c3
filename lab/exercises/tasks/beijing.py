"""A server that sends the time in Beijing, once per second, to every client."""

import asyncio
import datetime
import os

import tornado.web
import tornado.websocket


class Time(tornado.websocket.WebSocketHandler):
    """One client that wants the time."""

    async def open(self):
        """Send the time without end."""
        while True:
            now = datetime.datetime.now()
            self.write_message(now.strftime("%Y-%m-%d %H:%M:%S"))
            await asyncio.sleep(1)


async def main():
    """Serve until the program is ended."""
    app = tornado.web.Application([(r"/time", Time)])
    app.listen(int(os.environ["PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
