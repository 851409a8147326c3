"""`pushlab.binary` as its table in lab/techniques/binary.py has it. Uses no code of the lab."""

import json
import struct
import uuid


def varint(number: int) -> bytes:
    """A number, seven bits a byte, the lowest first."""
    return bytes([number]) if number < 128 else bytes([number % 128 + 128]) + varint(number // 128)


def send(fields: dict) -> bytes:
    """A send."""
    name = fields["username"].encode()
    return b"\x07" + uuid.UUID(fields["mid"]).bytes + varint(len(name)) + name + fields["body"].encode()


def event(data: bytes) -> dict:
    """The event in a binary message."""
    kind, rest = data[0], memoryview(data)[1:]
    if kind == 0:
        return json.loads(bytes(rest))
    return EVENTS[kind](rest)


def _number(rest):
    size = next(at for at, byte in enumerate(rest, 1) if byte < 128)
    return sum((byte % 128) * 128**at for at, byte in enumerate(rest[:size])), rest[size:]


def _cursor(rest):
    n, after = _number(rest[6:])
    return f"{int.from_bytes(rest[:6], 'big')}-{n}", after


def _message(rest):
    place, rest = _cursor(rest)
    seconds = struct.unpack("!d", rest[16:24])[0]
    mid, (size, rest) = uuid.UUID(bytes=bytes(rest[:16])), _number(rest[24:])
    return {
        "type": "message",
        "id": place,
        "mid": str(mid),
        "username": bytes(rest[:size]).decode(),
        "body": bytes(rest[size:]).decode(),
        "time": int(seconds) if seconds == int(seconds) else seconds,
    }


def _ack(rest):
    place, last = _cursor(rest[16:])
    assert bytes(last) in (b"\0", b"\1")
    return {
        "type": "ack",
        "mid": str(uuid.UUID(bytes=bytes(rest[:16]))),
        "id": place,
        "duplicate": last[0] == 1,
    }


def _error(rest):
    flags, rest, mid = rest[0], rest[1:], None
    if flags & 1:
        mid, rest = str(uuid.UUID(bytes=bytes(rest[:16]))), rest[16:]
    size, rest = _number(rest)
    error = {"code": bytes(rest[:size]).decode(), "message": bytes(rest[size:]).decode()}
    return {"type": "error", "mid": mid, "error": error, "stored": "unknown" if flags & 2 else False}


def _whole(found):
    value, rest = found
    assert not rest
    return value


EVENTS = {
    1: _message,
    2: lambda rest: {"type": "gap", "missed": _whole(_number(rest))},
    3: lambda rest: {"type": "reset", "id": _whole(_cursor(rest))},
    4: lambda rest: {"type": "bye", "retry_ms": _whole(_number(rest))},
    5: _ack,
    6: _error,
}
