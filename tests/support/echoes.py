"""Two echoes in one lab, to be held against the standard: the lab's own WebSocket, and Tornado's."""

from contextlib import contextmanager

from tornado.websocket import WebSocketHandler

from lab.techniques.frames import text_frame
from lab.techniques.websocket import WebSocket
from tests.support.lab_here import LabHere

ECHOES = {"lab": "/echo?receive=0", "tornado": "/plain"}


class Echo(WebSocket):
    """Sends back what it received, by the way on which the lab sends."""

    async def on_message(self, message):
        """Send it back."""
        if isinstance(message, bytes):
            await self.write_message(message, binary=True)
        elif self.outlet:
            self.outlet.send_one(text_frame(message.encode()))


class Plain(WebSocketHandler):
    """Sends back what it received, as Tornado's own documentation does it."""

    async def on_message(self, message):
        """Send it back."""
        await self.write_message(message, binary=isinstance(message, bytes))


@contextmanager
def echoes():
    """The port of a lab with both."""
    with LabHere(limits={"frame_bytes": 0, "per_address": 0}, patience=60.0) as school:
        router = school.lab.server.request_callback.wildcard_router
        router.add_rules([("/echo", Echo, {"context": school.lab.context}), ("/plain", Plain)])
        yield school.lab.port
