"""What happened to each client, in a form that all techniques share; the checker reads nothing else."""

import zlib
from typing import NamedTuple

from lab.json_types import JsonObject

At = tuple[int, int]
"""A place in a history: epoch and n."""


class Record(NamedTuple):
    """One thing that happened to one client, at `t` seconds on its monotonic clock.

    `kind` is send, then ack (stored at epoch-n), fail (surely not stored) or unknown; open (comes in at a
    place it knows), recv, reset (to this place), gap (n messages missed) and close (leaves for good).
    """

    t: float
    client: str
    technique: str
    kind: str
    epoch: int = 0
    n: int = 0
    mid: str = ""
    hash: str = ""

    @property
    def at(self) -> At:
        """The place it speaks of."""
        return self.epoch, self.n


def received(t: float, client: str, technique: str, event: JsonObject) -> Record:
    """An event as the record of the client that heard it at `t`; a bye says nothing about messages."""
    kind = "recv" if event["type"] == "message" else str(event["type"])
    if kind == "gap":
        return Record(t, client, technique, kind, 0, event["missed"])
    content = event.get("mid", ""), digest(event.get("username", ""), event.get("body", ""))
    return Record(t, client, technique, kind, *place(event.get("id", "0-0")), *content)


def digest(username: str, body: str) -> str:
    """A few characters that stand for what a message says."""
    return f"{zlib.crc32(f'{username} {body}'.encode()):08x}"


def place(cursor: str) -> At:
    """`<epoch>-<n>` as numbers."""
    epoch, n = cursor.split("-")
    return int(epoch), int(n)
