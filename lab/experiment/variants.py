"""What a measurement is compared with: the same technique, compressed in another way or in another framing.

`--compress kept` measures the WebSocket without compression, with a fresh window and with the window kept;
`--subprotocol binary` measures it with JSON and with binary frames. Other techniques are measured once.
"""

from collections.abc import Collection
from dataclasses import replace

from lab.errors import BadParameter
from lab.experiment.conditions import SUBPROTOCOLS, Conditions
from lab.results.runs import Run
from lab.settings import COMPRESS, KEPT

FRAMED = "websocket"
"""The technique whose messages have frames of their own, so that they can be compressed and binary."""


def variants(mode: str, asked: Conditions) -> list[Conditions]:
    """The conditions under which a technique is measured, those that were asked for last."""
    if mode != FRAMED:
        return [replace(asked, subprotocol=None)]
    compress = (False, *COMPRESS) if asked.compress == KEPT else (asked.compress,)
    spoken = SUBPROTOCOLS if asked.subprotocol == "binary" else (asked.subprotocol,)
    return [replace(asked, compress=how, subprotocol=name) for name in spoken for how in compress]


def marked(run: Run, asked: Conditions, under: Conditions) -> Run:
    """A run with the conditions that were asked for, and with what was different in this one."""
    compared = run.mode == FRAMED and asked.compress == KEPT
    return replace(
        run,
        conditions=asked.as_json(),
        subprotocol=under.subprotocol,
        compress=under.compress if compared else None,
        server_rss_growth_bytes=run.server_rss_growth_bytes if compared else None,
    )


def check_variants(modes: Collection[str], asked: Conditions, url: str | None) -> None:
    """Refuse a subprotocol without a WebSocket, and `kept` at a lab that runs already, by `BadParameter`."""
    if asked.subprotocol and FRAMED not in modes:
        raise BadParameter(f"Only the mode {FRAMED} has a subprotocol, not {', '.join(modes)}.")
    if asked.compress == KEPT and url is not None and FRAMED in modes:
        raise BadParameter("To compare compression, new labs are started; leave out the URL.")
