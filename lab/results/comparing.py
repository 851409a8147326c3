"""What a subprotocol saves, and what ways to compress cost: runs of one technique compared, as text."""

from collections.abc import Callable, Sequence

from rich.text import Text

from lab.catalogue import TECHNIQUES
from lab.results.format import NOTHING, count, percent, seconds
from lab.results.per_message import (
    by_compression,
    by_subprotocol,
    bytes_per_delivery,
    cpu_per_delivery,
    memory_per_client,
    payload_per_delivery,
)
from lab.results.rounds import median_over_rounds
from lab.results.runs import Run

BINARY, KEPT = "binary", "kept"
Column = tuple[str, Callable[[Sequence[Run]], str]]
NAME_COLUMNS, COLUMNS = 12, 16


def comparisons(runs: Sequence[Run]) -> list[Text]:
    """The comparisons for which there are runs."""
    return [text for compare in (subprotocols, compressions) if (text := compare(runs)) is not None]


def subprotocols(runs: Sequence[Run]) -> Text | None:
    """What binary frames save per delivered message; None when only one subprotocol was measured."""
    found = by_subprotocol(runs)
    if len(found) < 2:
        return None
    plain, packed = (bytes_per_delivery(those) for those in found.values())
    saved, share = None, None
    if plain and packed is not None:
        saved, share = plain - packed, (plain - packed) / plain
    columns: list[Column] = [
        ("bytes/message", lambda those: count(bytes_per_delivery(those))),
        ("payload", lambda those: count(median_over_rounds(those, payload_per_delivery))),
    ]
    text = _table("subprotocol", found, columns)
    return text.append(f"\nbinary saves {count(saved)} bytes per delivered message, {percent(share)}")


def compressions(runs: Sequence[Run]) -> Text | None:
    """What compression costs and saves in each way; None when only one way was measured."""
    found = by_compression(runs)
    if len(found) < 2:
        return None
    columns: list[Column] = [
        ("bytes/message", lambda those: count(bytes_per_delivery(those))),
        ("CPU/message", lambda those: seconds(median_over_rounds(those, cpu_per_delivery))),
        ("memory/client", lambda those: kibibytes(median_over_rounds(those, memory_per_client))),
    ]
    return _table("compression", found, columns)


def kibibytes(value: float | None) -> str:
    """Bytes as KiB."""
    return NOTHING if value is None else f"{count(value / 1024)} KiB"


def _table(title: str, found: dict[str, list[Run]], columns: Sequence[Column]) -> Text:
    heads = "".join(f"{head:>{COLUMNS}}" for head, _ in columns)
    lines = [Text(f"\n{title:<{NAME_COLUMNS}}{heads}", style="bold")]
    for name, runs in found.items():
        cells = "".join(f"{cell(runs):>{COLUMNS}}" for _, cell in columns)
        lines.append(Text(f"{name:<{NAME_COLUMNS}}{cells}", style=TECHNIQUES[runs[0].mode].dark))
    return Text("\n").join(lines)
