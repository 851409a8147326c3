"""The text of a Caddyfile for these switches, line by line; each line knows which switch has changed it.

By itself Caddy waits for a response without a limit, passes on the Host and the upgrade, and flushes each
piece of a response whose length is not known.
"""

from collections.abc import Sequence

from lab.proxy.lines import Line
from lab.proxy.nginx_conf import HOST
from lab.proxy.switches import Switches

ACCESS_LOG, ADMIN = "access.log", "admin.sock"


def configuration(switches: Switches, labs: Sequence[str], port: int, folder: str) -> list[Line]:
    """The lines of the Caddyfile, for labs at these `host:port` behind this port of the loopback."""
    return [
        Line("{"),
        Line(f"  admin unix/{folder}/{ADMIN}"),
        Line("  auto_https off"),
        Line("}"),
        Line(f"http://:{port} {{"),
        Line(f"  bind {HOST}"),
        Line("  log {"),
        Line(f"    output file {folder}/{ACCESS_LOG}"),
        Line("  }"),
        *_gzip(switches),
        Line(f"  reverse_proxy {' '.join(labs)} {{"),
        *_headers(switches),
        *_timeout(switches),
        *([Line("    buffer_responses", "buffering")] if switches.buffering else []),
        Line("  }"),
        Line("}"),
    ]


def _gzip(switches: Switches) -> list[Line]:
    if not switches.gzip:
        return []
    lines = ("encode {", "  gzip", "  minimum_length 1", "  match header Content-Type *", "}")
    return [Line(f"  {line}", "gzip") for line in lines]


def _headers(switches: Switches) -> list[Line]:
    lines = [] if switches.host else [Line("    header_up Host lab", "host")]
    if not switches.upgrade:
        lines += [Line(f"    header_up -{name}", "upgrade") for name in ("Upgrade", "Connection")]
    return lines


def _timeout(switches: Switches) -> list[Line]:
    """Caddy has no such limit by itself, so a proxy without fault has no line for it."""
    if switches.timeout == Switches().timeout:
        return []
    limit = f"{1000 * switches.timeout:.0f}ms"
    inner = (f"response_header_timeout {limit}", f"read_timeout {limit}")
    lines = ["transport http {", *(f"  {line}" for line in inner), "}"]
    return [Line(f"    {line}", "timeout") for line in lines]
