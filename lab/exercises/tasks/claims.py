"""A sheet of claims and numbers about push techniques. The lab measures after it has read the sheet."""

import json
import os

INTERVAL_S = float(os.environ["INTERVAL_S"])  # the pause of a short poller between two requests
BODY = int(os.environ["BODY"])  # characters of each message's body

# Each of these is in some course notes. Write "holds", "does not" or "depends".
CLAIMS = {
    "A long poll delivers a message only when it times out": "holds",
    "A GET needs two round trips": "holds",
    "Without a message a long poll sends no request": "holds",
    "A page may poll a server of another origin": "holds",
    "A connection of HTTP ends after its response": "holds",
    "Half duplex means one direction only": "holds",
}

# What do you expect the lab to measure? Bytes are those of the lab's own clients.
NUMBERS = {
    "short polling: mean delay of a message, in ms": INTERVAL_S * 1000,
    "long polling: bytes of both heads, for each request": 0,
    "WebSocket: bytes of a frame's header": 0,
    "WebSocket: payload of a message, in bytes": BODY,
    "server-sent events: bytes around a message, chunk and fields": 0,
    "how many times as many bytes a long poll needs for a message as a WebSocket": 0,
}

print(json.dumps({"claims": CLAIMS, "numbers": NUMBERS}))
