"""Other servers to compare with, each as plain as its documentation; `baselines` starts them."""

import asyncio
import json
import select
import socket

from tests.benchmarks.framing import compact, handshake, message, polled, text_frame
from tests.benchmarks.way import greet, lines, until_told


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
    """`send_str` in a loop; polls with an `Event`, and bodies made of bytes that all share."""
    from aiohttp import web

    sockets, tasks, messages, news = set(), set(), [], asyncio.Event()

    async def handle(request):
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.add(socket)
        async for _ in socket:
            pass
        return socket

    def place(request):
        after = request.query["after"]
        return len(messages) if after == "latest" else int(after.partition("-")[2])

    def answer(after):
        return web.Response(body=polled(messages, after), content_type="application/json")

    async def shortpoll(request):
        return answer(place(request))

    async def longpoll(request):
        after = place(request)
        while len(messages) <= after:
            await news.wait()
        return answer(after)

    async def send_all(said):
        text = json.dumps(said)
        for listener in sockets:
            await listener.send_str(text)

    def received(said):
        messages.append(compact(said))
        news.set()
        news.clear()
        task = asyncio.create_task(send_all(said))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    app = web.Application()
    app.router.add_get("/websocket", handle)
    app.router.add_get("/shortpoll", shortpoll)
    app.router.add_get("/longpoll", longpoll)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=3600)
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
    clients[fd].send(handshake(request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]))
