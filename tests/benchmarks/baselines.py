"""Servers to compare with: `python -m tests.benchmarks.baselines KIND`, each as plain as its documentation.

A message comes in as a line of text on a port of its own, which is cheaper than any of the lab's ways, and
goes through a stream in a private Redis as the lab's messages do (not for epoll, which is the floor). What
is received has the shape and the size of the lab's messages. Each ends when its standard input does.
"""

import asyncio
import base64
import hashlib
import json
import select
import socket
import sys

from tests.benchmarks.way import greet, lines, message, until_told

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def text_frame(payload):
    """A WebSocket frame of 126 to 65535 bytes."""
    return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload


# Tornado as its documentation shows it --------------------------------------------------------


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
    """Polls on `HTTPServerConnectionDelegate`, the lowest documented interface: what a handler costs."""
    from tornado.httpserver import HTTPServer
    from tornado.httputil import (
        HTTPHeaders,
        HTTPMessageDelegate,
        HTTPServerConnectionDelegate,
        ResponseStartLine,
    )
    from tornado.netutil import bind_sockets

    ok, messages, waiters, tops = ResponseStartLine("HTTP/1.1", 200, "OK"), [], [], ["1700000000000-0"]

    def body(after):
        newer = b"" if after == "latest" else b",".join(messages[int(after.rpartition("-")[2]) :])
        return b'{"messages":[' + newer + b'],"cursor":"' + tops[0].encode() + b'"}'

    def answer(connection, data):
        headers = HTTPHeaders({"Content-Type": "application/json", "Content-Length": str(len(data))})
        connection.write_headers(ok, headers, data)
        connection.finish()

    class Request(HTTPMessageDelegate):
        def __init__(self, connection):
            self.connection = connection

        def headers_received(self, start_line, headers):
            self.path = start_line.path

        def finish(self):
            after = self.path.partition("after=")[2].partition("&")[0]
            if self.path.startswith("/longpoll") and after in ("latest", tops[0]):
                waiters.append(self.connection)
            else:
                answer(self.connection, body(after))

    class Server(HTTPServerConnectionDelegate):
        def start_request(self, server_conn, request_conn):
            return Request(request_conn)

    def received(said):
        after, tops[0] = tops[0], said["id"]
        messages.append(json.dumps(said, separators=(",", ":")).encode())
        waiting, waiters[:] = waiters[:], []
        data = body(after)
        for connection in waiting:
            answer(connection, data)

    server, listening = HTTPServer(Server()), bind_sockets(0, "127.0.0.1", backlog=4096)
    server.add_sockets(listening)
    say, port = await lines(received)
    greet(listening[0].getsockname()[1], port)
    await until_told()
    await say.close()


# Other servers --------------------------------------------------------------------------------


async def websockets():
    """`websockets.broadcast`, without compression."""
    from websockets.asyncio.server import broadcast, serve

    async def stay(connection):
        await connection.wait_closed()

    async with serve(stay, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096) as server:
        say, port = await lines(lambda said: broadcast(server.connections, json.dumps(said)))
        greet(server.sockets[0].getsockname()[1], port)
        await until_told()
        await say.close()


async def aiohttp():
    """`send_str` in a loop."""
    from aiohttp import web

    sockets, tasks = set(), set()

    async def handle(request):
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.add(socket)
        async for _ in socket:
            pass
        return socket

    async def send_all(said):
        text = json.dumps(said)
        for listener in sockets:
            await listener.send_str(text)

    def received(said):
        task = asyncio.create_task(send_all(said))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    app = web.Application()
    app.router.add_get("/websocket", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    say, port = await lines(received)
    greet(runner.addresses[0][1], port)
    await until_told()
    await say.close()


def epoll():
    """A loop over `send` and nothing else: the floor for one system call per listener from Python."""
    servers = [socket.create_server(("127.0.0.1", 0), backlog=4096) for _ in range(2)]
    greet(servers[0].getsockname()[1], servers[1].getsockname()[1])
    poll, clients = select.epoll(), {}
    sender, n = None, 0
    for fd in (0, *(server.fileno() for server in servers)):
        poll.register(fd, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == 0:
                return
            if fd == servers[0].fileno():
                client, _ = servers[0].accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as everyone else here
                clients[client.fileno()] = client
                poll.register(client.fileno(), select.EPOLLIN)
            elif fd == servers[1].fileno():
                sender, _ = servers[1].accept()
                poll.register(sender.fileno(), select.EPOLLIN)
            elif sender is not None and fd == sender.fileno():
                for line in sender.recv(65536).splitlines():
                    n += 1
                    frame = text_frame(json.dumps(message(n, line.decode())).encode())
                    for client in clients.values():
                        client.send(frame)
            else:
                shake_hands(poll, clients, fd)


def shake_hands(poll, clients, fd):
    """Answer a handshake, or let a client go."""
    try:
        request = clients[fd].recv(65536)
    except ConnectionResetError:
        request = b""
    if not request:
        poll.unregister(fd)
        clients.pop(fd).close()
        return
    key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    clients[fd].send(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")


KINDS = {"tornado": tornado, "delegate": delegate, "websockets": websockets, "aiohttp": aiohttp}


if __name__ == "__main__":
    if sys.argv[1] == "epoll":
        epoll()
    else:
        asyncio.run(KINDS[sys.argv[1]]())
