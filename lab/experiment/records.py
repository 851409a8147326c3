"""The records of each client, in a form that all techniques share; the checker reads nothing else."""

import zlib
from typing import NamedTuple

from lab.json_types import JsonObject

At = tuple[int, int]
"""A place in a history: epoch and n."""


class Record(NamedTuple):
    """One event of one client, at `t` seconds on its monotonic clock.

    `kind` is send, then ack (stored at epoch-n), fail (surely not stored) or unknown; open (connects with a
    cursor), recv, reset (to this place), gap (n messages missed) and close (disconnects for good).
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
        """The place that this record is about."""
        return self.epoch, self.n


def received(t: float, client: str, technique: str, event: JsonObject) -> Record:
    """An event as the record of the client that received it at `t`; a bye has no record."""
    kind = "recv" if event["type"] == "message" else str(event["type"])
    if kind == "gap":
        return Record(t, client, technique, kind, 0, event["missed"])
    content = event.get("mid", ""), digest(event.get("username", ""), event.get("body", ""))
    return Record(t, client, technique, kind, *place(event.get("id", "0-0")), *content)


def digest(username: str, body: str) -> str:
    """A short checksum of a message's username and body."""
    return f"{zlib.crc32(f'{username} {body}'.encode()):08x}"


def place(cursor: str) -> At:
    """`<epoch>-<n>` as numbers."""
    epoch, n = cursor.split("-")
    return int(epoch), int(n)
