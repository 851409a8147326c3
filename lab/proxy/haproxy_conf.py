"""The text of haproxy.cfg for these switches, line by line; each line knows which switch has changed it.

HAProxy collects no response. `timeout server` is for polls and streams, `timeout tunnel` for a connection
that was upgraded, so the same timeout cuts an event stream and not a WebSocket.
"""

from collections.abc import Sequence

from lab.catalogue import TECHNIQUES
from lab.proxy.lines import Line
from lab.proxy.nginx_conf import HOST
from lab.proxy.switches import Switches

LOG_FIELDS = (
    ("at", "%Ts.%ms"),
    ("method", '"%HM"'),
    ("target", '"%HU"'),
    ("status", "%ST"),
    ("end", '"%tsc"'),
    ("milliseconds", "%Ta"),
    ("bytes", "%B"),
)
"""The fields of a line of the log, which is JSON; `end` is how the request ended, `----` or as `sH--`."""
TUNNEL_S = 3600.0
CLIENT_S = 3600.0
"""Longer than any silence: what cuts is the side of the lab."""
IDLE_S = 75.0


def configuration(switches: Switches, labs: Sequence[str], port: int) -> list[Line]:
    """The lines of haproxy.cfg, for labs at these `host:port` behind this port of the loopback."""
    fields = ",".join(f'"{name}":{variable}' for name, variable in LOG_FIELDS)
    return [
        Line("global"),
        Line("  log stdout format raw daemon"),
        Line("defaults"),
        Line("  mode http"),
        Line("  log global"),
        Line("  option dontlognull"),
        Line(f"  log-format '{{{fields}}}'"),
        Line("  timeout connect 5s"),
        Line(f"  timeout client {_ms(CLIENT_S)}"),
        _changed(f"  timeout http-keep-alive {_ms(switches.idle or IDLE_S)}", "idle", switches.idle),
        _changed(f"  timeout tunnel {_ms(switches.idle or TUNNEL_S)}", "idle", switches.idle),
        _changed(
            f"  timeout server {_ms(switches.timeout)}", "timeout", switches.timeout != Switches().timeout
        ),
        Line("frontend users"),
        Line(f"  bind {HOST}:{port}"),
        *_streams(switches),
        Line("  default_backend labs"),
        *_backend("labs", switches, labs),
        *(_backend("streams", switches, labs, switches.idle) if switches.idle else []),
    ]


def _streams(switches: Switches) -> list[Line]:
    """A backend of their own for the streams, when those may not be silent for as long as a poll."""
    if not switches.idle:
        return []
    paths = " ".join(f"/{mode}" for mode, technique in TECHNIQUES.items() if technique.verb == "stream")
    return [Line(f"  use_backend streams if {{ path {paths} }}", "idle")]


def _backend(name: str, switches: Switches, labs: Sequence[str], silence: float | None = None) -> list[Line]:
    lines = [Line(f"backend {name}", "idle" if silence else None)]
    if silence:
        lines.append(Line(f"  timeout server {_ms(min(silence, switches.timeout))}", "idle"))
    if not switches.host:
        lines.append(Line("  http-request set-header Host lab", "host"))
    if not switches.upgrade:
        lines.append(Line("  http-request del-header Upgrade", "upgrade"))
    return [*lines, *(Line(f"  server lab{number} {lab}") for number, lab in enumerate(labs, 1))]


def _changed(text: str, switch: str, is_changed: object) -> Line:
    return Line(text, switch if is_changed else None)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}ms"
