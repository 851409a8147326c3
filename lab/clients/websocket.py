"""WebSocket: after one HTTP handshake, a connection on which both sides send at any time.

    client                       server
      |── GET, Upgrade: websocket ─>|
      |<──── 101 Switching ─────────|      from here on no more HTTP: frames
      |<──── frame: message 8 ──────|
      |── frame: send, masked ─────>|      at any time
      |<──── frame: ack ────────────|      the reply has the mid of the send

A browser does this with `WebSocket`; here aiohttp reads and masks the frames.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from aiohttp import ClientWebSocketResponse as Socket
from aiohttp import WSMsgType

from lab.clients import binary
from lab.clients.link import BROWSER, FRESH, SILENCE_S, Link, Refused, SocketClosed, Unframed, compact, shared
from lab.json_types import JsonObject

OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
"""A browser always offers compression; the lab accepts it only when started with `--compress`."""
HANDSHAKE = ("User-Agent", "Accept-Encoding", "Accept-Language")
"""Chromium's header fields in a handshake: fewer than in any other request."""


@shared
def unframe(data: str | bytes) -> Unframed:
    """One frame, of text or binary: one event."""
    return Unframed([binary.decode(data) if isinstance(data, bytes) else json.loads(data)])


async def listen(link: Link) -> None:
    """Connect, and read each frame as it arrives."""
    socket = await connect(link, "/websocket" + link.query())
    try:
        async with link.silence:
            async for frame in data_of(socket, link.silence.received):
                link.received(unframe(frame))
    finally:
        await socket.close()
    raise SocketClosed(socket.close_code)


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message on a socket that only sends; returns its id, which the ack has."""
    async with link.turn:
        if link.socket is None or link.socket.closed:
            link.socket = await connect(link, "/websocket?receive=0")
        try:
            async with asyncio.timeout(SILENCE_S):
                answer = await exchange(link.socket, message)
        except (aiohttp.ClientError, OSError):
            await link.socket.close()  # the socket does not notice it, and the next send needs a new one
            raise
    if answer["type"] == "error":
        error = answer["error"]
        raise Refused(0, error["code"], error["message"], answer["stored"] == "unknown")
    return {"id": answer["id"], "duplicate": answer["duplicate"]}


async def exchange(socket: Socket, message: dict[str, str]) -> JsonObject:
    """Send a message, and return the reply with its mid. Raises `ClientError` when none arrives."""
    if socket.protocol == binary.NAME:
        await socket.send_bytes(binary.encode_send(message))
    else:
        await socket.send_str(compact(message).decode())
    async for frame in data_of(socket):
        (answer,) = unframe(frame).events
        if answer.get("mid") == message["mid"]:
            return answer
    raise aiohttp.ClientConnectionError("The lab closed the connection before it replied.")


async def data_of(socket: Socket, on_frame: Callable[[], None] = lambda: None) -> AsyncIterator[str | bytes]:
    """The received text or binary frames, until the connection ends or a frame is invalid."""
    kind = WSMsgType.BINARY if socket.protocol == binary.NAME else WSMsgType.TEXT
    async for frame in socket:
        on_frame()
        if frame.type is WSMsgType.PING:
            await socket.pong(frame.data)
        elif frame.type is kind:
            yield frame.data
        elif frame.type is not WSMsgType.PONG:
            return


async def connect(link: Link, path: str) -> Socket:
    """Open a WebSocket. Raises `Refused` when the lab refuses the handshake."""
    spoken = {name: BROWSER[name] for name in HANDSHAKE} | FRESH | {"Origin": link.origin}
    headers = spoken | ({} if link.compress else OFFER) if link.browser else {}
    options: Any = {"headers": headers, "autoping": False}
    options["compress"] = 15 if link.compress else 0  # the window's bits, as aiohttp counts them
    options["protocols"] = [f"pushlab.{link.subprotocol}"] if link.subprotocol else []
    link.asks()
    try:
        socket: Socket = await link.session.ws_connect(link.url + path, **options)
    except aiohttp.WSServerHandshakeError as error:
        raise Refused(error.status, "no_handshake", error.message) from error
    if options["protocols"] and socket.protocol not in options["protocols"]:
        await socket.close()
        raise Refused(0, "no_subprotocol", f"This lab does not support {options['protocols'][0]}.")
    return socket
