"""An echo server: what a client sends comes back."""

import os

import tornado.ioloop
import tornado.web
import tornado.websocket


class Echo(tornado.websocket.WebSocketHandler):
    """One connection."""

    def on_message(self, message):
        """Send the message back."""
        self.write_message(str(message))


app = tornado.web.Application([(r"/echo", Echo)])
app.listen(int(os.environ["PORT"]), "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
