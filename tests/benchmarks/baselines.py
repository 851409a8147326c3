"""Servers to compare with: `python -m tests.benchmarks.baselines KIND`, each as plain as its documentation.

A message comes in as a line of text on a port of its own, which is cheaper than any of the lab's ways, and
goes through a stream in a private Redis as the lab's messages do (not for epoll, which is a floor). What
is received has the shape and the size of the lab's messages. Each ends when its standard input does.
Tornado is here, others are in `peers`.
"""

import asyncio
import json
import sys

from tests.benchmarks import peers
from tests.benchmarks.framing import compact, handshake, polled, text_frame
from tests.benchmarks.way import greet, lines, until_told


async def tornado():
    """`write_message` in a loop, `write` and `flush`, a `Condition`, a dict written by a handler."""
    from tornado.httpserver import HTTPServer
    from tornado.locks import Condition
    from tornado.netutil import bind_sockets
    from tornado.web import Application, RequestHandler
    from tornado.websocket import WebSocketHandler

    sockets, streams, messages, news = set(), set(), [], Condition()

    class WebSocket(WebSocketHandler):
        def open(self):
            sockets.add(self)

        def on_message(self, message):
            pass

        def on_close(self):
            sockets.discard(self)

    class Stream(RequestHandler):
        def initialize(self, kind, block):
            self.kind, self.block = kind, block

        async def get(self):
            self.set_header("Content-Type", self.kind)
            self.set_header("Cache-Control", "no-cache")
            await self.flush()
            streams.add(self)
            await asyncio.Event().wait()

        def send(self, said):
            self.write(self.block.format(id=said["id"], json=json.dumps(said)))
            self.flush()

        def on_connection_close(self):
            streams.discard(self)

    class Poll(RequestHandler):
        def prepare(self):
            after = self.get_argument("after")
            self.place = len(messages) if after == "latest" else int(after.partition("-")[2])

        def since(self):
            return messages[self.place :]

        def get(self):
            cursor = messages[-1]["id"] if messages else "1700000000000-0"
            self.write({"messages": self.since(), "cursor": cursor})

    class LongPoll(Poll):
        async def get(self):
            while not self.since():
                await news.wait()
            super().get()

    def received(said):
        messages.append(said)
        for listener in sockets:
            listener.write_message(json.dumps(said))
        for stream in streams:
            stream.send(said)
        news.notify_all()

    app = Application(
        [
            ("/websocket", WebSocket),
            ("/sse", Stream, {"kind": "text/event-stream", "block": "id: {id}\ndata: {json}\n\n"}),
            ("/iframe", Stream, {"kind": "text/html", "block": "<script>parent.push({json})</script>\n"}),
            ("/longpoll", LongPoll),
            ("/shortpoll", Poll),
        ],
        log_function=lambda handler: None,
    )
    server, listening = HTTPServer(app), bind_sockets(0, "127.0.0.1", backlog=4096)
    server.add_sockets(listening)
    say, port = await lines(received)
    greet(listening[0].getsockname()[1], port)
    await until_told()
    await say.close()


async def delegate():
    """The leanest documented interface: `HTTPMessageDelegate` for polls, a detached `IOStream` for frames."""
    from tornado.httpserver import HTTPServer
    from tornado.httputil import (
        HTTPHeaders,
        HTTPMessageDelegate,
        HTTPServerConnectionDelegate,
        ResponseStartLine,
    )
    from tornado.netutil import bind_sockets

    ok, messages, waiters, streams = ResponseStartLine("HTTP/1.1", 200, "OK"), [], [], set()

    def answer(connection, data):
        headers = HTTPHeaders({"Content-Type": "application/json", "Content-Length": str(len(data))})
        connection.write_headers(ok, headers, data)
        connection.finish()

    class Request(HTTPMessageDelegate):
        def __init__(self, connection):
            self.connection = connection

        def headers_received(self, start_line, headers):
            self.path = start_line.path
            if key := headers.get("Sec-WebSocket-Key"):
                self.upgrade(self.connection.detach(), key.encode())

        def upgrade(self, stream, key):
            stream.set_nodelay(True)
            stream.write(handshake(key))
            streams.add(stream)
            stream.set_close_callback(lambda: streams.discard(stream))

        def finish(self):
            after = self.path.partition("after=")[2].partition("&")[0]
            place = len(messages) if after == "latest" else int(after.rpartition("-")[2])
            if self.path.startswith("/longpoll") and place == len(messages):
                waiters.append(self.connection)
            else:
                answer(self.connection, polled(messages, place))

    class Server(HTTPServerConnectionDelegate):
        def start_request(self, server_conn, request_conn):
            return Request(request_conn)

    def received(said):
        messages.append(compact(said))
        waiting, waiters[:] = waiters[:], []
        data, frame = polled(messages, len(messages) - 1), text_frame(messages[-1])
        for connection in waiting:
            answer(connection, data)
        for stream in streams:
            stream.write(frame)

    server, listening = HTTPServer(Server()), bind_sockets(0, "127.0.0.1", backlog=4096)
    server.add_sockets(listening)
    say, port = await lines(received)
    greet(listening[0].getsockname()[1], port)
    await until_told()
    await say.close()


KINDS = {
    "tornado": tornado,
    "delegate": delegate,
    "websockets": peers.websockets,
    "aiohttp": peers.aiohttp,
}


if __name__ == "__main__":
    if sys.argv[1] == "epoll":
        peers.epoll()
    else:
        asyncio.run(KINDS[sys.argv[1]]())
