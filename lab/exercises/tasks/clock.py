"""A client that prints the time which a server sends."""

import asyncio

from tornado.websocket import websocket_connect


async def main():
    """Print one line for each tick."""
    connection = await websocket_connect("ws://127.0.0.1:8888/time", ping_timeout=10)
    while True:
        text = await connection.read_message()
        print(text)


asyncio.run(main())
