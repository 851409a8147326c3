"""A run as a record: what was measured under which conditions, as JSON and as CSV."""

import codecs
import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from lab.errors import BadInput, BadParameter
from lab.json_types import JsonObject
from lab.results.writing import write_whole
from lab.settings import FRESH

SCHEMA = "pushlab.run/1"
OPTIONAL = (
    "subprotocol",
    "compress",
    "server_rss_growth_bytes",
    "wire",
    "proxy",
    "labs",
    "engine",
    "same_machine_latency_s",
)
"""What a run records only when it was asked for."""
MOST_SAMPLES = 200
"""Latencies of one run that a record holds when asked to."""
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins like that of UTF-16, so it is checked first
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Run:
    """One technique, measured once. The shapes are those of the contract; None is "not measured"."""

    mode: str
    round: int
    sent: int
    expected: int
    delivered: int
    lost: int
    duplicated: int
    out_of_order: int
    receive: JsonObject
    send: JsonObject
    latency_s: JsonObject
    server_cpu_s: float | None
    server_rss_bytes: int | None
    predicted: JsonObject
    series: list[JsonObject]
    conditions: JsonObject
    lab: dict[str, str]
    partial: bool = False
    """Whether the run was stopped early."""
    fleet: JsonObject = field(default_factory=dict)
    """The load of the measuring clients: `cpu_share` of a core, in all and in each of `processes`, `late_s`
    of the publisher, and `warnings` where they did not keep up."""
    subprotocol: str | None = None
    """What the WebSocket spoke in this run, where the conditions name a subprotocol."""
    compress: bool | str | None = None
    """How this run was compressed, where ways to compress are compared."""
    server_rss_growth_bytes: int | None = None
    """Growth of the server's memory since before the first client, where ways to compress are compared."""
    wire: JsonObject | None = None
    """The bytes of one message, received and sent after the measured time, in the shape of `/wire`."""
    segments: JsonObject | None = None
    """TCP segments for receiving, `in` and `out`; None where the kernel does not count all of them."""
    wire_bytes: int | None = None
    """All bytes for receiving, both ways, with the headers of TCP and IP; None as above."""
    clock_bound_s: float = 0.0
    """How far the clocks of listeners and publisher may be apart: not at all, on one machine."""
    proxy: JsonObject | None = None
    """The proxy that the listeners connected through: `switches`, `version`, and what they saw (`seen`)."""
    labs: list[JsonObject] | None = None
    """What each of several labs used and counted for receiving; the other figures are the sums over them."""
    engine: JsonObject | None = None
    """The cluster of the listeners: its `address`, its `workers` and their clocks, and which have `ended`."""
    same_machine_latency_s: JsonObject | None = None
    """Send to arrival of messages that a worker sent itself, after the run; it needs one clock only."""
    samples: list[float] = field(default_factory=list, compare=False, repr=False)
    """Every latency in seconds, shortest first; a record holds them only when asked to."""

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or out of order."""
        return not (self.lost or self.duplicated or self.out_of_order)

    @property
    def ended(self) -> list[str]:
        """A sentence for each worker that ended in the middle of the run, which is partial then."""
        found: list[str] = self.engine["ended"] if self.engine else []
        return found

    @property
    def asked(self) -> bool:
        """Whether it was made as the conditions ask for; else it is there for comparison."""
        spoken, compress = self.conditions.get("subprotocol"), self.conditions.get("compress")
        return self.subprotocol in (None, spoken) and self.compress in (None, compress)

    @property
    def missing(self) -> int:
        """Messages of the timetable that the lab did not accept, in a run that was not stopped."""
        if self.refused:
            return 0
        planned = round(self.conditions["rate"] * self.conditions["duration_s"])
        return 0 if self.partial else planned - self.sent

    @property
    def refused(self) -> str | None:
        """Why the proxy before the lab lets this technique not through; None when it does."""
        return self.proxy["seen"].get("refused") if self.proxy else None

    @property
    def whole(self) -> bool:
        """Whether every message was stored and received once, in order, by all listeners, to the end."""
        return self.clean and not (self.missing or self.refused or self.ended)

    @property
    def socket_bytes(self) -> int:
        """All bytes for receiving at the server's socket, both ways."""
        total: int = self.receive["bytes_in"] + self.receive["bytes_out"]
        return total

    @property
    def transferred(self) -> dict[str, int]:
        """Head, framing and payload as they crossed the wire; the meters count payload before compression."""
        head, framing = self.receive["head_bytes"], self.receive["framing_bytes"]
        return {"head": head, "framing": framing, "payload": self.socket_bytes - head - framing}

    @property
    def overhead(self) -> float | None:
        """Bytes on the wire for each byte of the messages themselves."""
        return self.socket_bytes / self.receive["payload_bytes"] if self.receive["payload_bytes"] else None

    def per_delivery(self, figure: float | None) -> float | None:
        """A figure of this run divided by the messages that were delivered."""
        return figure / self.delivered if self.delivered and figure is not None else None

    def as_json(self, samples: bool = False) -> JsonObject:
        """The run as JSON; conditions and lab are stored once for all runs.

        With `samples` also some latencies in seconds, evenly spaced among all that were measured.
        """
        values = asdict(self)
        absent = [name for name in OPTIONAL if values[name] is None]
        for name in ("conditions", "lab", "samples", *absent, *(() if self.partial else ("partial",))):
            del values[name]
        return values | ({"samples": thinned(self.samples)} if samples else {})


def thinned(ordered: Sequence[float], most: int = MOST_SAMPLES) -> list[float]:
    """At most so many of the samples, evenly spaced, the longest among them."""
    step = max(1, -(-len(ordered) // most))
    return [round(sample, 6) for sample in ordered[::-1][::step]][::-1]


def run_list(runs: "Run | Iterable[Run]") -> list[Run]:
    """One run, or several, as a list. Raises `BadParameter` for none, and for a value that is no run."""
    found = [runs] if isinstance(runs, Run) else list(runs) if isinstance(runs, Iterable) else [runs]
    if not found:
        raise BadParameter("There are no runs: pass what lab.measure, lab.compare or lab.load returned.")
    if strange := next((type(run).__name__ for run in found if not isinstance(run, Run)), None):
        raise BadParameter(f"Runs must be what lab.measure, lab.compare or lab.load returned, not {strange}.")
    return found


def document(runs: Sequence[Run], samples: bool = False) -> JsonObject:
    """Runs made under the same conditions as one JSON document.

    Raises `BadParameter` for runs that were made under different ones, and for none.
    """
    runs = run_list(runs)
    first = runs[0]
    if any(run.conditions != first.conditions for run in runs):
        raise BadParameter(
            "One file holds runs under the same conditions; save each set to a file of its own."
        )
    return {
        "schema": SCHEMA,
        "lab": first.lab,
        "conditions": first.conditions,
        "runs": [run.as_json(samples) for run in runs],
    }


def save(runs: Sequence[Run], path: str | Path, samples: bool = False) -> None:
    """Write runs that were made under the same conditions to a file, as JSON.

    With `samples` the file also holds latencies, so that their distribution can be drawn from it. Raises
    `CannotWrite`; a file that was there before is then as it was.
    """
    text = json.dumps(document(runs, samples), ensure_ascii=False, indent=1)
    write_whole(path, text.encode() + b"\n")


def load(path: str | Path) -> list[Run]:
    """Read runs back, also from a file that PowerShell 5 wrote. Raises `BadInput` when it holds none."""
    try:
        found = json.loads(text_of(Path(path).read_bytes()))
        if found["schema"] != SCHEMA:
            raise BadInput(f"{path} has schema {found['schema']!r}; this lab reads {SCHEMA}.")
        conditions = found["conditions"]
        if conditions.get("compress") is True:  # of a lab that had one way to compress
            conditions["compress"] = FRESH
        return [Run(**run, conditions=conditions, lab=found["lab"]) for run in found["runs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} holds no runs of the lab ({error}).") from error


def text_of(data: bytes) -> str:
    """The text of a file in UTF-8, or in what its byte order mark names: PowerShell 5 writes UTF-16.

    Raises `UnicodeDecodeError`.
    """
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    return data.decode(marked)


def write_csv(runs: Iterable[Run], file: TextIO) -> None:
    """One line per run, units in the column names; an empty cell is "not measured"."""
    rows = [flat(run) for run in runs]
    names = dict.fromkeys(name for row in rows for name in row)  # not every run has every column
    writer = csv.DictWriter(file, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def flat(run: Run) -> JsonObject:
    """A run in one level: `receive.bytes_in` becomes `receive_bytes_in`. Series and bytes are left out."""
    values = run.as_json()
    del values["series"]
    values.pop("wire", None)
    values["fleet"].pop("warnings", None)  # sentences about the other figures
    values["fleet"] |= _numbered("process", values["fleet"].pop("processes", ()))
    row: JsonObject = _numbered("lab", values.pop("labs", ()))
    if run.engine:
        row |= _numbered("worker", values["engine"].pop("workers"))
        values["engine"]["ended"] = len(run.ended)
    for name, value in values.items():
        row |= _flat(name, value)
    return row | {f"condition_{name}": value for name, value in run.conditions.items()}


def _numbered(name: str, several: Iterable[JsonObject]) -> JsonObject:
    """Columns for each of several labs or processes."""
    row: JsonObject = {}
    for number, one in enumerate(several, 1):
        row |= _flat(f"{name}_{number}", one)
    return row


def _flat(name: str, value: Any) -> JsonObject:
    if not isinstance(value, dict):
        return {name: value}
    row: JsonObject = {}
    for inner, deeper in value.items():
        row |= _flat(f"{name}_{inner}", deeper)
    return row
