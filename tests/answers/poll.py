"""Long polling: a request for messages is answered when there is one, or after a while without."""

import asyncio
import os

import tornado.web

HOLD_S = 1.2
"""Less than any proxy before the server waits."""
messages = []
waiting = set()


class Messages(tornado.web.RequestHandler):
    """GET /messages?after=N: the messages after the first N. POST /messages: a new one."""

    news = None

    async def get(self):
        """Answer with the messages after N; while there are none, wait, but not for ever."""
        after = int(self.get_argument("after", "0"))
        if after >= len(messages):
            self.news = asyncio.Future()
            waiting.add(self.news)
            await asyncio.wait([self.news], timeout=HOLD_S)
            waiting.discard(self.news)
        self.write({"messages": messages[after:], "cursor": len(messages)})

    def on_connection_close(self):
        """The client has gone: wait no longer."""
        waiting.discard(self.news)

    def post(self):
        """Store the message, and end the wait of each request."""
        messages.append(self.request.body.decode())
        for news in waiting:
            if not news.done():
                news.set_result(None)
        self.set_status(201)


class Waiting(tornado.web.RequestHandler):
    """GET /waiting: how many requests wait now."""

    def get(self):
        """Count them."""
        self.write(str(len(waiting)))


async def main():
    """Serve until the program is ended."""
    app = tornado.web.Application([(r"/messages", Messages), (r"/waiting", Waiting)])
    app.listen(int(os.environ["PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
