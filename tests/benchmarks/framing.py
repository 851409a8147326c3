"""Bytes that the servers of the benchmark send: messages, frames, handshakes, and what answers a poll."""

import base64
import hashlib
import json
import time
import uuid

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""


def text_frame(payload):
    """A WebSocket frame of 126 to 65535 bytes."""
    return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload


def handshake(key):
    """The response that makes a connection a WebSocket, to the key of its request."""
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"


def message(n, body):
    """A message as the lab would send it."""
    id_ = f"1700000000000-{n}"
    said = {"type": "message", "id": id_, "mid": str(uuid.uuid4()), "username": "publisher"}
    return said | {"body": body, "time": round(time.time(), 3)}


def compact(said):
    """A message as the lab sends it."""
    return json.dumps(said, separators=(",", ":")).encode()


def polled(messages, after):
    """The body of an answer: all messages after so many."""
    cursor = b"1700000000000-%d" % len(messages)
    return b'{"messages":[' + b",".join(messages[after:]) + b'],"cursor":"' + cursor + b'"}'
