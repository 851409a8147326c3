"""A proxy that breaks exactly one thing between browser and lab: a TCP relay that reads heads only."""

import asyncio
import re
import threading
from contextlib import suppress

from tests.support.wire import HOST

STREAM = re.compile(rb"\r\nContent-Type: (text/event-stream|application/x-ndjson)", re.I)
LONG = re.compile(rb"GET \S*/(doctor/stream|live|sse|fetch|iframe|websocket)\b")
HOLDING = {"hold", "hold head"}
LINES = b"ndjson"
LAST_CHUNK = b"0\r\n\r\n"
UPGRADE = re.compile(rb"\r\nUpgrade: websocket", re.I)
SWITCHED = b"HTTP/1.1 101 "
CUT_S = 0.4
SILENT_S = 3.0
MOST_HEAD = 4096
MOST_CONNECTIONS = 6
REFUSED = b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Hostile:
    """The proxy, in a thread of its own; `faults` may be changed while it runs.

    "upgrade": WebSocket handshakes are refused. "hold": bodies of event streams arrive at their end only.
    "hold head": their heads too. "hold lines": only those that are no event streams. "cut": WebSockets and
    event streams end after one second. "silent": every connection on which the lab is silent for three
    seconds ends. "head": heads over 4 kB are refused. "seventh": a stream or WebSocket above six is refused.
    """

    def __init__(self, port: int, *faults: str) -> None:
        self.lab_port = port
        self.faults = set(faults)
        self.streaming: set[asyncio.StreamWriter] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))

    def __enter__(self) -> "Hostile":
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_) -> None:
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def cut(self) -> None:
        """End every connection."""
        self.loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._carrying])

    @property
    def address(self) -> str:
        """The address that stands for the lab."""
        return f"http://{HOST}:{self.port}"

    async def _serve(self) -> None:
        self.loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._carrying: set[asyncio.Task] = set()
        server = await asyncio.start_server(self._carry, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._over.wait()
        server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0.05)  # aborted transports close in the next turns

    async def _carry(self, reader, writer) -> None:
        self._carrying.add(task := asyncio.current_task())
        task.add_done_callback(self._carrying.discard)
        try:
            await self._relay(reader, writer)
        except (asyncio.CancelledError, OSError):
            pass  # cut, or the lab is not there
        finally:
            self.streaming.discard(writer)
            writer.transport.abort()

    async def _relay(self, reader, writer) -> None:
        lab_reader, lab_writer = await asyncio.open_connection(HOST, self.lab_port)
        ways = [
            asyncio.create_task(self._up(reader, lab_writer, writer)),
            asyncio.create_task(self._down(lab_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            lab_writer.transport.abort()

    async def _up(self, reader, lab_writer, writer) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if status := self._refuses(data, writer):
                    writer.write(REFUSED % status)
                    return await writer.drain()
                lab_writer.write(data)
                await lab_writer.drain()

    def _refuses(self, data: bytes, writer: asyncio.StreamWriter) -> int:
        if LONG.match(data) and writer not in self.streaming:
            if "seventh" in self.faults and len(self.streaming) == MOST_CONNECTIONS:
                return 503
            self.streaming.add(writer)
        if "upgrade" in self.faults and UPGRADE.search(data):
            return 400
        is_head = data[:4] in (b"GET ", b"POST", b"HEAD")
        return 431 if "head" in self.faults and is_head and len(data) > MOST_HEAD else 0

    async def _down(self, reader, writer) -> None:
        held, buffer, ends, is_stream = False, b"", None, False
        with suppress(OSError, TimeoutError):
            while True:
                patience = SILENT_S if "silent" in self.faults else None
                async with asyncio.timeout_at(ends) if ends else asyncio.timeout(patience):
                    data = await reader.read(65536)
                if not data:
                    break
                streams = not held and STREAM.search(data)
                held = held or (is_stream and "hold" in self.faults)
                is_stream = is_stream or bool(streams)
                if (streams or data.startswith(SWITCHED)) and "cut" in self.faults:
                    ends = asyncio.get_running_loop().time() + CUT_S
                if streams and (
                    self.faults & HOLDING or ("hold lines" in self.faults and LINES in streams[1])
                ):
                    head, _, data = data.partition(b"\r\n\r\n")
                    held, head = True, head + b"\r\n\r\n"
                    if "hold head" in self.faults:
                        data = head + data
                    else:
                        writer.write(head)
                if data.endswith(LAST_CHUNK):
                    self.streaming.discard(writer)
                    held, is_stream, ends, data, buffer = False, False, None, buffer + data, b""
                if held:
                    buffer += data
                else:
                    writer.write(data)
                await writer.drain()
        writer.write(buffer)
        with suppress(OSError):
            await writer.drain()
