"""The lab's own Python clients: they stay with it, whatever the lab does."""

import asyncio
import contextlib
import json
import random
import socket
import uuid

import aiohttp
import pytest
import websockets

from lab.catalogue import MODES, client_side
from lab.clients.link import Link, Refused
from lab.clients.reconnecting import keep_receiving
from lab.clients.silence import Silence
from lab.server.lifecycle import running
from lab.settings import Settings
from tests.support.redis_server import free_port


def settings(port=0):
    """A lab that refuses nothing and comes back at once."""
    return Settings(port=port, redis="private", room=f"run-{random.getrandbits(40):x}", limits={"rate": 0})


class Listening:
    """A client that keeps listening in the background; `events` is what it received."""

    def __init__(self, mode, port, **options):
        self.events = []
        self.link = Link(
            url=f"http://127.0.0.1:{port}", on_events=self.events.extend, interval=0.05, **options
        )
        self.task = asyncio.create_task(keep_receiving(mode, self.link))

    async def receives(self, kind, count):
        """Wait until it has received so many events of a kind; returns them."""
        async with asyncio.timeout(15):
            while len(found := [event for event in self.events if event["type"] == kind]) < count:
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.01)
        return found

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.link.__aexit__()


async def say(mode, port, body):
    """Send one message by a technique."""
    async with Link(url=f"http://127.0.0.1:{port}") as link:
        message = {"mid": str(uuid.uuid4()), "username": "teacher", "body": body}
        return await client_side(mode).send(link, message), await client_side(mode).send(link, message)


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_receives_what_is_sent(mode):
    """What is sent by a technique is received by it once, also when it was sent twice."""
    async with running(settings(), temporary=True) as lab, Listening(mode, lab.port) as listening:
        first, again = await say(mode, lab.port, "hello </script> 你好 😀")
        (message,) = await listening.receives("message", 1)
        assert (message["id"], message["body"]) == (first["id"], "hello </script> 你好 😀")
        assert again == {"id": first["id"], "duplicate": True}


@pytest.mark.parametrize("mode", MODES)
async def test_it_comes_back_after_a_restart(mode, monkeypatch):
    """A client connects again to a lab that was replaced, at the moment that the bye named."""
    monkeypatch.setattr("lab.server.lifecycle.RETRY_MS", (50, 100))
    async with contextlib.AsyncExitStack() as stack:
        async with running(settings(free_port()), temporary=True) as lab:
            listening = await stack.enter_async_context(Listening(mode, lab.port))
            await say(mode, lab.port, "before")
            await listening.receives("message", 1)
        async with running(settings(lab.port), temporary=True):
            await listening.receives("reset", 1)
            await say(mode, lab.port, "after")
            received = await listening.receives("message", 2)
            assert [message["body"] for message in received] == ["before", "after"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_sender_outlives_its_lab(mode):
    """A client that sent to a lab that was replaced sends to the next one, at the latest on its retry."""
    message = {"mid": str(uuid.uuid4()), "username": "teacher", "body": "hello"}
    async with contextlib.AsyncExitStack() as stack:
        async with running(settings(free_port()), temporary=True) as lab:
            link = await stack.enter_async_context(Link(url=f"http://127.0.0.1:{lab.port}"))
            await client_side(mode).send(link, message)
        async with running(settings(lab.port), temporary=True):
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await client_side(mode).send(link, message)
            stored = await client_side(mode).send(link, message)
            assert stored["id"].endswith("-1")


@contextlib.asynccontextmanager
async def another_server(talk):
    """The URL of a WebSocket server of the test's own."""
    async with websockets.serve(talk, "127.0.0.1", 0, compression=None) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_answer_belongs_to_its_message():
    """A late answer to an earlier send is not taken for the answer to this one."""

    async def talk(connection):
        mid = json.loads(await connection.recv())["mid"]
        for answer in ({"mid": "earlier", "id": "1-1"}, {"mid": mid, "id": "1-2"}):
            await connection.send(json.dumps({"type": "ack", "duplicate": False} | answer))
        await connection.wait_closed()

    async with another_server(talk) as url, Link(url=url) as link:
        answer = await client_side("websocket").send(link, {"mid": "this", "username": "a", "body": "b"})
        assert answer["id"] == "1-2"


async def test_a_silent_server_is_given_up(monkeypatch):
    """A WebSocket on which not even a ping comes is dead; aiohttp alone would wait for ever."""
    monkeypatch.setattr("lab.clients.link.SILENCE_S", 0.1)
    async with another_server(lambda connection: connection.wait_closed()) as url, Link(url=url) as link:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client_side("websocket").listen(link), 10)


@pytest.mark.parametrize("mode", MODES)
async def test_a_permanent_refusal_is_reported(mode):
    """A malformed cursor is not sent again and again."""
    async with (
        running(settings(), temporary=True) as lab,
        Listening(mode, lab.port, after="nonsense") as listening,
    ):
        with pytest.raises(Refused, match="400"):
            await asyncio.wait_for(listening.task, 10)


async def test_no_small_packet_waits_for_an_earlier_one():
    """Nagle's algorithm stays off on every connection, also behind an answer: an ack would wait for it."""
    async with running(settings(), temporary=True) as lab, Listening("longpoll", lab.port) as listening:
        await say("longpoll", lab.port, "hello")
        await listening.receives("message", 1)
        streams = [stream.socket for stream in lab.server.open]
        assert streams
        assert all(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in streams)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux counts so")
async def test_the_kernel_asks_after_every_client():
    """A client that vanishes while nothing is sent is detected and removed within 20 s."""
    async with running(settings(), temporary=True) as lab, Listening("longpoll", lab.port) as listening:
        await say("longpoll", lab.port, "hello")
        await listening.receives("message", 1)
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT)
        for one in [stream.socket for stream in lab.server.open]:
            assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle, every, most = (one.getsockopt(socket.IPPROTO_TCP, option) for option in options)
            assert idle + every <= most / 1000 <= 20 - every


async def test_a_silent_stream_is_given_up(monkeypatch):
    """A stream that has begun, and on which not even a heartbeat comes any more, is dead."""
    monkeypatch.setattr("lab.clients.link.SILENCE_S", 0.1)

    async def begin(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: heartbeat\n\n")
        await reader.read()  # until the listener has closed
        writer.close()

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Link(url=url) as link:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client_side("sse").listen(link), 60)


async def test_silence_is_counted_from_the_last_piece(monkeypatch):
    """As long as something arrived in time a listener goes on, however often its timer looks."""

    class Clock:
        """A clock that the test sets."""

        now = 100.0

        def monotonic(self):
            return self.now

    clock, silence = Clock(), Silence(0.01)
    monkeypatch.setattr("lab.clients.silence.time", clock)
    async with silence:
        for _ in range(5):
            clock.now += 5.0
            silence.received()
            await asyncio.sleep(0.03)  # its timer looks meanwhile
    with pytest.raises(TimeoutError):
        async with silence:
            clock.now += 0.02
            await asyncio.sleep(60)
