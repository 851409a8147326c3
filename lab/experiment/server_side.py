"""What the server's side of a run used, from its snapshots: memory, TCP segments, each of several labs."""

from lab.experiment.conditions import Conditions
from lab.experiment.readiness import MeterSnapshots
from lab.json_types import JsonObject


def memory_growth(snapshots: MeterSnapshots) -> int | None:
    """By how many bytes the server's memory has grown since before the first client; None if not measured."""
    before, after = (found.get("rss_bytes") for found in (snapshots.before, snapshots.after))
    return None if before is None or after is None else after - before


def on_the_wire(
    conditions: Conditions, url: str, snapshots: MeterSnapshots, partial: bool = False
) -> JsonObject:
    """TCP segments for receiving, and all bytes with the headers of TCP and IP.

    Not known where connections have ended: the kernel no longer counts then. TLS adds bytes that no meter of
    a technique has.
    """
    segments, receive = snapshots.segments, snapshots.counted("receive")
    whole = (
        conditions.keep_alive and conditions.proxy is None and receive["connections"] == conditions.clients
    )
    if segments is None or not whole or partial or url.startswith("https:"):
        return {}
    wire_bytes = receive["bytes_in"] + receive["bytes_out"] + segments.pop("head_bytes")
    return {"segments": segments, "wire_bytes": wire_bytes}


def each_lab(snapshots: MeterSnapshots) -> list[JsonObject] | None:
    """What each of several labs used and counted for receiving in this run; None for one lab."""
    return [
        {name: counted[name] for name in ("requests", "messages", "bytes_in", "bytes_out")}
        | {"cpu_s": one.cpu_s, "rss_bytes": one.after["rss_bytes"]}
        for one in snapshots.each_lab()
        for counted in [one.counted("receive")]
    ] or None
