"""A chat room: what one user sends, all others receive."""

import os

import tornado.ioloop
import tornado.web
import tornado.websocket


class Page(tornado.web.RequestHandler):
    """Every other address has a page."""

    def get(self):
        """Show it."""
        self.write("The room is at /chat.")


class Chat(tornado.websocket.WebSocketHandler):
    """One user in the room."""

    users = set()

    def open(self):
        """A user joins."""
        self.users.add(self)

    def on_message(self, message):
        """Send the message to all users except its sender."""
        for user in self.users:
            if user is not self:
                user.write_message(message)

    def write_message(self, message, binary=False):
        """Send a message to this user."""
        pass

    def on_close(self):
        """A user leaves."""
        self.users.discard(self)


routes = {
    (r"/chat", Chat()),
    (r"/.*", Page),
}
app = tornado.web.Application(routes)
app.listen(int(os.environ["PORT"]), "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
