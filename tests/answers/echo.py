"""An echo server with the package `websockets`: what a client sends comes back."""

import asyncio
import os

from websockets.asyncio.server import serve


async def echo(connection):
    """Send each message back: `str` is a text frame, `bytes` a binary one."""
    async for message in connection:
        await connection.send(message)


async def main():
    """Serve until the program is ended."""
    async with serve(echo, "127.0.0.1", int(os.environ["PORT"])) as server:
        await server.serve_forever()


asyncio.run(main())
