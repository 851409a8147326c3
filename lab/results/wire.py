"""One message on the wire, unit by unit, as text for a terminal: how it was sent, and how it was received."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lab.anatomy.dissection import dissect
from lab.anatomy.printing import print_to
from lab.anatomy.units import Part, totals
from lab.catalogue import TECHNIQUES
from lab.json_types import JsonObject
from lab.results.runs import Run


def show_wires(runs: Sequence[Run], console: Console) -> None:
    """Print the recorded exchange of each run that was made as asked for, or that none was recorded."""
    for run in (run for run in runs if run.asked and run.round == 1):
        if run.wire is None:
            console.print(f"\n{run.mode}: no exchange was recorded", highlight=False)
        else:
            _show(run, "sent", run.wire["send"], console)
            _show(run, "received", run.wire, console)


def _show(run: Run, how: str, found: JsonObject, console: Console) -> None:
    parts = parts_of(found)
    sizes = ", ".join(f"{part} {size}" for part, size in totals(dissect(parts, run.mode)).items())
    console.print(Text(f"\n{run.mode}: one message, {how} ({sizes} bytes)", style="bold"), highlight=False)
    print_to(console, parts, run.mode, TECHNIQUES[run.mode].dark, time_unit=" ms")


def parts_of(found: JsonObject) -> list[Part]:
    """The reads and writes in a record, in the shape of `/wire`."""
    return [Part(part["at"], part["came"], part["text"].encode("latin-1")) for part in found["parts"]]
