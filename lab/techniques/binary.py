"""The subprotocol `pushlab.binary`: the same events as with JSON, in fewer bytes, each in one binary frame.

    offset   0  1          7         7 + v     23 + v     31 + v        31 + v + w
    message  1  epoch, 6   n, v      mid, 16   time, 8    username, w   body
    gap      2  missed, v
    reset    3  epoch, 6   n, v
    bye      4  retry_ms, v
    offset   0  1          17        23        23 + v
    ack      5  mid, 16    epoch, 6  n, v      duplicate, 1
    send     7  mid, 16    username, w         body
    offset   0  1          2         18        18 + w
    error    6  flags, 1   mid, 16   code, w   message
    other    0  the event as JSON

Sizes are in bytes, numbers in network byte order, time is a binary64: without a fraction it is a whole number
in JSON. v: a number in groups of seven bits, the lowest first, each byte but the last with its top bit set
(LEB128). w: a length such as v, and so many bytes of UTF-8. The last text goes up to the end. Flags of an
error: 1, a mid follows (else there is none, and what follows is 16 bytes earlier); 2, `stored` is "unknown".
`lab/clients/binary.py` is the other side.
"""

import json
import struct
import uuid
from collections.abc import Callable
from functools import lru_cache

from lab.errors import BadMessage
from lab.json_types import JsonObject
from lab.room.messages import Event, compact

OTHER, MESSAGE, GAP, RESET, BYE, ACK, ERROR, SEND = range(8)
HAS_MID, UNKNOWN = 1, 2
"""Flags of an error."""
EPOCH_BYTES, MID_BYTES = 6, 16
LAST_EPOCH = 256**EPOCH_BYTES - 1
LONGEST_VARINT = 9
"""Bytes of a varint that is read: 63 bits."""


# What the server sends ------------------------------------------------------------------------


@lru_cache(256)
def pack_event(event: Event) -> bytes:
    """One event of the room; cached, because all listeners share it and the meters need its size."""
    return pack(json.loads(event.json))


def pack(event: JsonObject) -> bytes:
    """An event, an ack or an error; what has no short form is JSON."""
    short: Callable[[JsonObject], bytes] | None = FORMS.get(event["type"])
    return short(event) if short and _fits(event) else bytes([OTHER]) + compact(event)


def _message(event: JsonObject) -> bytes:
    head = bytes([MESSAGE]) + cursor(event["id"]) + mid(event["mid"]) + struct.pack("!d", event["time"])
    body: str = event["body"]
    return head + text(event["username"]) + body.encode()


def _gap(event: JsonObject) -> bytes:
    return bytes([GAP]) + varint(event["missed"])


def _reset(event: JsonObject) -> bytes:
    return bytes([RESET]) + cursor(event["id"])


def _bye(event: JsonObject) -> bytes:
    return bytes([BYE]) + varint(event["retry_ms"])


def _ack(event: JsonObject) -> bytes:
    return bytes([ACK]) + mid(event["mid"]) + cursor(event["id"]) + bytes([event["duplicate"]])


def _error(event: JsonObject) -> bytes:
    flags = HAS_MID * bool(event["mid"]) + UNKNOWN * (event["stored"] == "unknown")
    message: str = event["error"]["message"]
    error = text(event["error"]["code"]) + message.encode()
    return bytes([ERROR, flags]) + (mid(event["mid"]) if event["mid"] else b"") + error


FORMS = {"message": _message, "gap": _gap, "reset": _reset, "bye": _bye, "ack": _ack, "error": _error}


def _fits(event: JsonObject) -> bool:
    """Whether a short form gives back this very event: a mid in lower case, an epoch of six bytes."""
    own = event.get("mid")
    canonical = own is None or _is_uuid(own)
    return canonical and int(event.get("id", "0-0").partition("-")[0]) <= LAST_EPOCH


def _is_uuid(own: str) -> bool:
    try:
        return str(uuid.UUID(own)) == own
    except ValueError:
        return False


def varint(number: int) -> bytes:
    """A number from 0 up, seven bits a byte, the lowest first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def cursor(place: str) -> bytes:
    """`<epoch>-<n>`."""
    epoch, n = map(int, place.split("-"))
    return epoch.to_bytes(EPOCH_BYTES, "big") + varint(n)


def mid(own: str) -> bytes:
    """A UUID as its 16 bytes (RFC 9562 section 4)."""
    return uuid.UUID(own).bytes


def text(value: str) -> bytes:
    """A text behind its length in bytes."""
    data = value.encode()
    return varint(len(data)) + data


# What a client sends --------------------------------------------------------------------------


def unpack_send(data: bytes) -> JsonObject:
    """The fields of a send. Raises `BadMessage` for bytes that are none."""
    if data[:1] != bytes([SEND]):
        raise BadMessage("kind", f"The first byte of a send must be {SEND}.")
    place = 1 + MID_BYTES
    own, (size, start) = data[1:place], _read_varint(data, place)
    if len(data) < start + size:
        raise BadMessage("username", "The message ends inside its username.")
    username, body = data[start : start + size], data[start + size :]
    return {
        "mid": str(uuid.UUID(bytes=own)),
        "username": _read_text("username", username),
        "body": _read_text("body", body),
    }


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    """The number that begins here, and where it ends."""
    number = 0
    for at, byte in enumerate(data[place : place + LONGEST_VARINT]):
        number |= (byte & 0x7F) << 7 * at
        if byte <= 0x7F:
            return number, place + at + 1
    raise BadMessage(
        "username", "The message ends before its username, or the length of the username cannot be read."
    )


def _read_text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadMessage(name, f"The field {name} is not UTF-8.") from None
