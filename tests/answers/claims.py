"""A sheet of claims and numbers about push techniques. The lab measures after it has read the sheet."""

import json
import os

INTERVAL_S = float(os.environ["INTERVAL_S"])  # the pause of a short poller between two requests
BODY = int(os.environ["BODY"])  # characters of each message's body

# Each of these is in some course notes. Write "holds", "does not" or "depends".
CLAIMS = {
    "A long poll delivers a message only when it times out": "does not",
    "A GET needs two round trips": "depends",
    "Without a message a long poll sends no request": "does not",
    "A page may poll a server of another origin": "depends",
    "A connection of HTTP ends after its response": "does not",
    "Half duplex means one direction only": "does not",
}

FIELDS = 141  # what the JSON of a message has besides its body
POLL = 725 + 42  # heads, and what the answer of a poll has around the message

# What do you expect the lab to measure? Bytes are those of the lab's own clients.
NUMBERS = {
    "short polling: mean delay of a message, in ms": INTERVAL_S / 2 * 1000,
    "long polling: bytes of both heads, for each request": 725,
    "WebSocket: bytes of a frame's header": 4,
    "WebSocket: payload of a message, in bytes": FIELDS + BODY,
    "server-sent events: bytes around a message, chunk and fields": 36,
    "how many times as many bytes a long poll needs for a message as a WebSocket": (POLL + FIELDS + BODY)
    / (4 + FIELDS + BODY),
}

print(json.dumps({"claims": CLAIMS, "numbers": NUMBERS}))
