"""A client of the lab's room: it prints the id of each message, one on each line, with Tornado's client."""

import asyncio
import json
import os
from contextlib import suppress

from tornado.websocket import websocket_connect

URL = os.environ["URL"].replace("http", "ws", 1)
PAUSE_S = 0.2


async def listen(cursor):
    """Print each event that comes after the cursor; returns the new one when the connection is lost."""
    connection = await websocket_connect(f"{URL}/websocket?after={cursor}", connect_timeout=5)
    while (text := await connection.read_message()) is not None:
        event = json.loads(text)
        if event["type"] == "gap":
            print(f"missed {event['missed']}")
        if event["type"] == "message":
            print(event["id"])
            cursor = event["id"]
    return cursor


async def main():
    """Go on after the last message that was printed, whatever happens to the connection."""
    cursor = "latest"
    while True:
        with suppress(OSError):
            cursor = await listen(cursor)
        await asyncio.sleep(PAUSE_S)


asyncio.run(main())
