"""Long polling: a request for messages is answered when there is one."""

import asyncio
import os

import tornado.web

messages = []
waiting = []


class Messages(tornado.web.RequestHandler):
    """GET /messages?after=N: the messages after the first N. POST /messages: a new one."""

    async def get(self):
        """Answer with the messages after N; while there are none, wait."""
        after = int(self.get_argument("after", "0"))
        if after >= len(messages):
            news = asyncio.Future()
            waiting.append(news)
            await news
            waiting.remove(news)
        self.write({"messages": messages[after:], "cursor": len(messages)})

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
