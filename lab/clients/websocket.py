"""WebSocket: after one HTTP handshake, a connection on which both sides speak whenever they like.

    client                       server
      |── GET, Upgrade: websocket ─>|
      |<──── 101 Switching ─────────|      from here on no more HTTP: frames
      |<──── frame: message 8 ──────|
      |── frame: send, masked ─────>|      whenever it likes
      |<──── frame: ack ────────────|      the answer carries the send's mid

A browser does this with `WebSocket`; here aiohttp reads and masks the frames.
"""

import json
from collections.abc import AsyncIterator

import aiohttp

from lab.clients.link import BROWSER, FRESH, SILENCE_S, Link, Refused, Unframed, compact
from lab.json_types import JsonObject

OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
"""A browser always offers compression; the lab takes it only when it was started with it."""
PATIENCE = aiohttp.ClientWSTimeout(ws_receive=SILENCE_S)
"""The server pings; aiohttp answers, and by itself would wait for ever for a server that is no more."""
HANDSHAKE = ("User-Agent", "Accept-Encoding", "Accept-Language")
"""What else Chromium says of itself in a handshake: less than in any other request."""


def unframe(data: str) -> Unframed:
    """One text frame: one event."""
    return Unframed([json.loads(data)])


async def listen(link: Link) -> None:
    """Shake hands, and hear each frame as it comes."""
    socket = await connect(link, "/websocket" + link.query())
    try:
        async for frame in texts(socket):
            link.received(unframe(frame))
    finally:
        await socket.close()


async def send(link: Link, message: dict[str, str]) -> JsonObject:
    """Send a message on a socket for sending only; its id comes back in the ack."""
    async with link.turn:
        if link.socket is None or link.socket.closed:
            link.socket = await connect(link, "/websocket?receive=0")
        try:
            answer = await exchange(link.socket, message)
        except (aiohttp.ClientError, OSError):
            await link.socket.close()  # it does not find out by itself, and the next send needs a new one
            raise
    if answer["type"] == "error":
        error = answer["error"]
        raise Refused(0, error["code"], error["message"], answer["stored"] == "unknown")
    return {"id": answer["id"], "duplicate": answer["duplicate"]}


async def exchange(socket: aiohttp.ClientWebSocketResponse, message: dict[str, str]) -> JsonObject:
    """Send a message, and take the answer that names its mid. Raises `ClientError` when none comes."""
    await socket.send_str(compact(message).decode())
    async for frame in texts(socket):
        answer: JsonObject = json.loads(frame)
        if answer.get("mid") == message["mid"]:
            return answer
    raise aiohttp.ClientConnectionError("The lab hung up before it answered.")


async def texts(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[str]:
    """What comes in text frames, until the connection ends or cannot be understood any more."""
    async for frame in socket:
        if frame.type is not aiohttp.WSMsgType.TEXT:
            return
        yield frame.data


async def connect(link: Link, path: str) -> aiohttp.ClientWebSocketResponse:
    """Shake hands. Raises `Refused` when the lab does not."""
    spoken = {name: BROWSER[name] for name in HANDSHAKE} | FRESH | {"Origin": link.url}
    headers = spoken | ({} if link.compress else OFFER) if link.browser else {}
    compress = 15 if link.compress else 0  # the window's bits, as aiohttp counts them
    try:
        return await link.session.ws_connect(
            link.url + path, headers=headers, compress=compress, timeout=PATIENCE
        )
    except aiohttp.WSServerHandshakeError as error:
        raise Refused(error.status, "no_handshake", error.message) from error
