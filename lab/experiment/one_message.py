"""The bytes of one message on its way: the send that publishes it, and the request that receives it.

They are recorded after the measured time, by relays between the lab and one listener and one sender, so no
byte of them is in the figures of the run.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

import aiohttp

from lab.anatomy.dissection import as_json
from lab.anatomy.units import Part
from lab.catalogue import TECHNIQUES
from lab.clients.link import Event, Link, Refused, trust
from lab.clients.reconnecting import keep_receiving
from lab.errors import LabError
from lab.experiment.conditions import Conditions
from lab.experiment.exchange import link_of
from lab.experiment.probe import Probe
from lab.experiment.publisher import send
from lab.experiment.timetable import timetable
from lab.json_types import JsonObject

PATIENCE_S = 10.0
READ_BYTES = 65_536
LOOPBACK = "127.0.0.1"


class RecordingRelay:
    """A relay to a lab that keeps what passes, until `stop`. Use it as `async with`.

    Its own address is http, also for a lab behind TLS: so the bytes are those that the lab's meters count.
    """

    def __init__(self, url: str, certfile: str | None) -> None:
        self.parts: list[Part] = []
        """What has passed, in its order; times are milliseconds since the first byte."""
        self.changed = asyncio.Event()
        """Set at each byte that is kept."""
        self._to = urlsplit(url)
        self._tls = trust(certfile) if self._to.scheme == "https" else None
        self._began = 0.0
        self._stopped = False
        self._open: set[asyncio.StreamWriter] = set()
        self._relaying: set[asyncio.Task[None] | None] = set()

    async def __aenter__(self) -> "RecordingRelay":
        self._server = await asyncio.start_server(self._relay, LOOPBACK)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*filter(None, self._relaying), return_exceptions=True)

    @property
    def url(self) -> str:
        """The address for a client."""
        return f"http://{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}{self._to.path}"

    def stop(self) -> None:
        """Keep nothing more; the bytes still pass."""
        self._stopped = True

    async def until(self, seen: Callable[[list[Part]], bool]) -> None:
        """Wait until what has passed fulfils a condition."""
        while not seen(self.parts):
            self.changed.clear()
            await self.changed.wait()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self._relaying.add(asyncio.current_task())
        host, port = self._to.hostname, self._to.port or (443 if self._tls else 80)
        with suppress(OSError):
            lab_reader, lab_writer = await asyncio.open_connection(host, port, ssl=self._tls)
            self._open.add(lab_writer)
            await asyncio.gather(self._pass(reader, lab_writer, True), self._pass(lab_reader, writer, False))
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, came: bool) -> None:
        """Pass one direction on until its end."""
        while data := await reader.read(READ_BYTES):
            self._keep(came, data)
            writer.write(data)
            await writer.drain()
        writer.close()

    def _keep(self, came: bool, data: bytes) -> None:
        if not self._stopped:
            now = time.monotonic()
            self._began = self._began or now
            self.parts.append(Part(round(1000 * (now - self._began), 2), came, data))
            self.changed.set()


async def one_message(mode: str, conditions: Conditions, url: str, certfile: str | None) -> JsonObject | None:
    """Record how one message is sent and received: `{"parts", "left_out", "units"}`, and the same as `send`.

    None when the lab did not accept it, or it did not arrive in time.
    """
    try:
        return await asyncio.wait_for(_record(mode, conditions, url, certfile), PATIENCE_S)
    except (LabError, Refused, TimeoutError, aiohttp.ClientError, OSError):
        return None


async def _record(mode: str, conditions: Conditions, url: str, certfile: str | None) -> JsonObject:
    body, mid, arrived = timetable(conditions)[0].body, str(uuid.uuid4()), asyncio.Event()
    async with Probe(url, certfile) as probe:
        cursor = (await probe.get("/history"))["cursor"]

    def receive(events: list[Event]) -> None:
        if any(event.get("mid") == mid for event in events):
            receiving.stop()
            arrived.set()

    async with RecordingRelay(url, certfile) as receiving, RecordingRelay(url, certfile) as sending:
        fields = link_of(conditions, receiving.url, cursor) | {"on_events": receive}
        async with (
            Link(**fields) as listener,
            Link(**link_of(conditions, sending.url, "latest")) as publisher,
        ):
            if TECHNIQUES[mode].verb == "ask":  # published first, so that the first poll has it
                await send(mode, publisher, body, mid)
            listening = asyncio.create_task(keep_receiving(mode, listener))
            try:
                if TECHNIQUES[mode].verb != "ask":
                    await receiving.until(_asked(mode))
                    await send(mode, publisher, body, mid)
                sending.stop()
                await _first(arrived, listening)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    return as_json(receiving.parts, mode) | {"send": as_json(sending.parts, mode)}


def _asked(mode: str) -> Callable[[list[Part]], bool]:
    """Whether the request is there; of a stream, whether its response has begun."""
    streams = TECHNIQUES[mode].verb == "stream"
    return lambda parts: any(not part.came for part in parts) if streams else bool(parts)


async def _first(arrived: asyncio.Event, listening: "asyncio.Task[None]") -> None:
    """Wait for the message; what ends the listener before is raised."""
    waiting = asyncio.create_task(arrived.wait())
    await asyncio.wait({waiting, listening}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not arrived.is_set():
        await listening
