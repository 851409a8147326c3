"""Subprotocols: what is spoken inside the frames of a WebSocket, and which one a client gets.

    client: Sec-WebSocket-Protocol: pushlab.binary, pushlab.json
    server: Sec-WebSocket-Protocol: pushlab.binary

The server takes the first that it speaks. A client that offers none, or only others, gets text frames with
JSON and no such header; after an offer a browser then fails the connection. RFC 6455 sections 1.9 and 11.3.4.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from lab.errors import BadJson, BadMessage, BadSubprotocols
from lab.json_types import JsonObject
from lab.room.messages import Batch, Event, compact
from lab.techniques.binary import pack, pack_event, unpack_send
from lab.techniques.deflate import deflate
from lab.techniques.frames import BINARY, DEFLATED, TEXT, data_frame
from lab.techniques.refusals import parse_json

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Subprotocol(NamedTuple):
    """How events, replies and sends are written inside the frames."""

    name: str
    opcode: int
    event: Callable[[Event], bytes]
    """The bytes of an event."""
    reply: Callable[[JsonObject], bytes]
    """The bytes of an ack or an error."""
    parse: Callable[[str | bytes], object]
    """The fields of a send; text comes as str. Raises `BadInput`."""

    def framed(self, reply: JsonObject) -> bytes:
        """A reply in its frame."""
        return data_frame(self.opcode, self.reply(reply))

    def payload_bytes(self, batch: Batch) -> int:
        """The bytes of the messages of a batch, before any framing and compression."""
        return sum(len(self.event(message)) for message in batch.messages)

    def saved_bytes(self, batch: Batch, window: int) -> int:
        """The bytes that compression saves on these messages, for each client that receives them."""
        packed = sum(len(deflate(self.event(message), window)) for message in batch.messages)
        return self.payload_bytes(batch) - packed


def from_text(message: str | bytes) -> object:
    """The fields of a send as JSON. Raises `BadJson`."""
    if isinstance(message, bytes):
        raise BadJson("A send must be a text frame, not a binary one.")
    return parse_json(message)


def from_bytes(message: str | bytes) -> object:
    """The fields of a binary send. Raises `BadMessage`."""
    if isinstance(message, str):
        raise BadMessage("kind", "With pushlab.binary a send must be a binary frame, not a text one.")
    return unpack_send(message)


JSON = Subprotocol("pushlab.json", TEXT, lambda event: event.json, compact, from_text)
SPOKEN = {
    one.name: one for one in (JSON, Subprotocol("pushlab.binary", BINARY, pack_event, pack, from_bytes))
}
"""The subprotocols of the lab, by name."""


def chosen(header: str | None) -> Subprotocol:
    """The first offered one that the lab speaks, else JSON. Raises `BadSubprotocols`."""
    return next((SPOKEN[name] for name in offered(header) if name in SPOKEN), JSON)


def offered(header: str | None) -> list[str]:
    """The names that a client offers, in its order; without a header none.

    Raises `BadSubprotocols` unless they are tokens, at least one, and none twice (RFC 6455 section 4.1).
    """
    if header is None:
        return []
    names = [name for part in header.split(",") if (name := part.strip(" \t"))]
    if not names or len(set(names)) < len(names) or not all(map(TOKEN.fullmatch, names)):
        raise BadSubprotocols(
            "Sec-WebSocket-Protocol must be a list of different tokens (RFC 6455 section 4.1)."
        )
    return names


@cache
def framing(
    spoken: Subprotocol, window: int | None = None, unpacked: bool = False
) -> Callable[[Batch], bytes]:
    """One frame per event. With a window each is compressed alone, so that all its listeners share it.

    `unpacked`: a `Packer` makes of these frames those of each client, so they have a channel of their own.
    """
    opcode, event = spoken.opcode, spoken.event
    if window is None:
        return lambda batch: b"".join(data_frame(opcode, event(one)) for one in batch.events)
    bits = opcode | DEFLATED
    return lambda batch: b"".join(data_frame(bits, deflate(event(one), window)) for one in batch.events)
