"""The text of nginx.conf for these switches, line by line; each line knows which switch has changed it.

Paths are relative to the folder that nginx gets with `-p`. Before one lab it has one process and no workers
(`master_process off`): it is ended by its one id, and stays the same user. Before several it has a worker, so
that it can be given other labs while it runs. `Site` is how it serves users.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lab.catalogue import TECHNIQUES
from lab.proxy.lines import Line
from lab.proxy.several import TECHNIQUES_AT, before_several, next_lab, upstreams
from lab.proxy.site import TEMPORARY, Site
from lab.proxy.switches import ALWAYS, Switches

HOST = "127.0.0.1"
CONNECTIONS = 1024
ACCESS_LOG, ERROR_LOG, PID = "access.log", "error.log", "nginx.pid"
LOG_FIELDS = (
    ("at", "$msec"),
    ("method", '"$request_method"'),
    ("target", '"$request_uri"'),
    ("status", "$status"),
    ("from_lab", '"$upstream_status"'),
    ("lab", '"$upstream_addr"'),
    ("lab_in", '"$upstream_bytes_sent"'),
    ("lab_out", '"$upstream_bytes_received"'),
    ("seconds", "$request_time"),
    ("request_bytes", "$request_length"),
    ("bytes", "$bytes_sent"),
    ("protocol", '"$server_protocol"'),
    ("connection", "$connection"),
    ("request_of_connection", "$connection_requests"),
)
"""The fields of a line of the access log, which is JSON."""


class Certificate(NamedTuple):
    """The files of a certificate and of its key, both in PEM, by their absolute paths."""

    file: str
    key: str


def configuration(
    switches: Switches,
    labs: Sequence[str],
    port: int,
    connections: int = CONNECTIONS,
    certificate: Certificate | None = None,
    site: Site | None = None,
) -> list[Line]:
    """The lines of nginx.conf, for labs at these `host:port` behind this port: of the loopback, or of a site.

    `connections` is the most that nginx may have, to clients and to labs together. With a certificate it
    serves by https, HTTP/1.1 and HTTP/2: the client chooses in the TLS handshake (ALPN, RFC 7301).
    """
    return [
        *map(Line, _process(connections, len(labs) > 1)),
        *map(Line, site.logs() if site else _logs()),
        *upstreams(switches, labs),
        *_handshake(switches),
        Line("  server {"),
        *map(Line, site.listens(port) if site else _listen(port, certificate)),
        *_connections(switches),
        *_locations(switches, labs, site),
        Line("  }"),
        Line("}"),
    ]


def _listen(port: int, certificate: Certificate | None) -> list[str]:
    if certificate is None:
        return [f"    listen {HOST}:{port};"]
    return [
        f"    listen {HOST}:{port} ssl http2;",
        f"    ssl_certificate {certificate.file};",
        f"    ssl_certificate_key {certificate.key};",
    ]


def _locations(switches: Switches, labs: Sequence[str], site: Site | None) -> list[Line]:
    """Where requests go: with several labs those of the techniques to all of them, the others to one."""
    more = [*(map(Line, site.headers()) if site else ()), *next_lab(switches, labs)]
    if len(labs) < 2:
        return [*_location("/", switches, more), *_streams(switches, more)]
    at = TECHNIQUES_AT.format(base=site.base if site else "/")
    polls = _location(f"~ {at}", switches, more)
    return [*_location("/", switches, more, to="lesson"), *_streams(switches, more), *polls]


def text_of(lines: Sequence[Line]) -> str:
    """The lines as the text of a file."""
    return "".join(f"{line.text}\n" for line in lines)


def _process(connections: int, several: bool) -> list[str]:
    process = before_several() if several else ["master_process off;"]
    head = ["daemon off;", *process, f"pid {PID};", f"error_log {ERROR_LOG} warn;"]
    return [*head, f"events {{ worker_connections {connections}; }}", "http {"]


def _logs() -> list[str]:
    fields = ",".join(f'"{name}":{variable}' for name, variable in LOG_FIELDS)
    return [f"  log_format lab escape=json '{{{fields}}}';", f"  access_log {ACCESS_LOG} lab;", *TEMPORARY]


def _handshake(switches: Switches) -> list[Line]:
    """The map that turns a request for an upgrade into one, and leaves other requests alone."""
    text = "  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }"
    return [_kept(text, "upgrade", switches.upgrade is True)]


def _connections(switches: Switches) -> list[Line]:
    usual = Switches()
    requests = _valued("    keepalive_requests {};", "keepalive", switches.keepalive, usual.keepalive)
    idle = _valued("    keepalive_timeout {};", "idle", _ms(switches.idle or 75), _ms(75))
    return [requests, idle, *_gzip(switches)]


def _gzip(switches: Switches) -> list[Line]:
    if not switches.gzip:
        return [Line("    gzip off;")]
    lines = ("gzip on;", "gzip_types *;", "gzip_min_length 0;", "gzip_proxied any;")
    return [Line(f"    {line}", "gzip") for line in lines]


def _streams(switches: Switches, more: Sequence[Line]) -> list[Line]:
    """A place of their own for the streams, when those may not be silent for as long as a poll."""
    if switches.idle is None:
        return []
    streams = "|".join(mode for mode, technique in TECHNIQUES.items() if technique.verb == "stream")
    lines = _location(f"~ ^/({streams})$", switches, more, silence=switches.idle)
    return [Line(line.text, line.switch or "idle") for line in lines]


def _location(
    path: str, switches: Switches, more: Sequence[Line], to: str = "lab", silence: float | None = None
) -> list[Line]:
    usual = Switches()
    timeout, switch = switches.timeout, "timeout"
    if silence is not None and silence <= timeout:
        timeout, switch = silence, "idle"
    return [
        Line(f"    location {path} {{"),
        Line(f"      proxy_pass http://{to};"),
        _valued("      proxy_http_version {};", "http", switches.http, usual.http),
        *_headers(switches),
        _valued("      proxy_read_timeout {};", switch, _ms(timeout), _ms(usual.timeout)),
        *_buffering(switches),
        *more,
        Line("    }"),
    ]


def _headers(switches: Switches) -> list[Line]:
    upgrade = switches.upgrade is not False
    value = "upgrade" if switches.upgrade == ALWAYS else "$connection_upgrade"
    connection = f"      proxy_set_header Connection {value};"
    return [
        _kept("      proxy_set_header Host $http_host;", "host", switches.host),
        _kept("      proxy_set_header Upgrade $http_upgrade;", "upgrade", upgrade),
        Line(connection, "upgrade") if switches.upgrade == ALWAYS else _kept(connection, "upgrade", upgrade),
    ]


def _buffering(switches: Switches) -> list[Line]:
    if not switches.buffering:
        return [Line("      proxy_buffering off;")]
    lines = ("proxy_buffering on;", "proxy_ignore_headers X-Accel-Buffering;")
    return [Line(f"      {line}", "buffering") for line in lines]


def _kept(text: str, switch: str, kept: bool) -> Line:
    """A line of the right configuration, or its comment where the fault leaves it out."""
    if kept:
        return Line(text)
    indent = len(text) - len(text.lstrip())
    return Line(f"{text[:indent]}# {text[indent:]}", switch)


def _valued(text: str, switch: str, value: object, usual: object) -> Line:
    return Line(text.format(value), None if value == usual else switch)


def _ms(seconds: float) -> str:
    """A duration as nginx reads it: in whole seconds where it is one, else in milliseconds."""
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{1000 * seconds:.0f}ms"
