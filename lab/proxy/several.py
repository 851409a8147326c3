"""The lines of nginx.conf for several labs: which of them gets a request, and what follows when it fails.

Every lab can serve every request of a technique, because a cursor and the history in Redis are all that such
a request needs. What the teacher does and what the pages show of it is in the memory of one lab: these
requests go to the first lab, and to another one only while the first is away.
"""

import os
import sys
from collections.abc import Sequence

from lab.catalogue import MODES
from lab.proxy.lines import Line
from lab.proxy.switches import ROUND_ROBIN, Switches

TECHNIQUES_AT = "^{base}(" + "|".join(MODES) + "|jsonp/send|history)$"
"""The paths, below the base, that are the same at every lab."""
NEVER_AWAY = "max_fails=0"
"""A lab gets requests also after one has failed. By itself nginx counts a poll that has timed out as a
failure of its lab, and sends that lab nothing for ten seconds. Here a lab that is away refuses at once."""
RULES = {"hash": "hash $arg_client consistent;"}
"""Rules that are not spelled as their names."""
NEXT = "      proxy_next_upstream error non_idempotent;"
"""After a broken connection the next lab gets the request; also a send, which is safe to repeat by its mid.
Not after a timeout: a poll that was too long for one lab is too long for the next."""


def before_several() -> list[str]:
    """A worker, which can be replaced when the labs change, and which stays the same user."""
    user = [f"user {_name()};"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [*user, "worker_processes 1;"]


def _name() -> str:
    assert sys.platform != "win32"
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def upstreams(switches: Switches, labs: Sequence[str]) -> list[Line]:
    """The labs, for the requests of techniques and for those that one lab answers."""
    several = len(labs) > 1
    servers = [_server(switches, lab, several) for lab in labs]
    lines = _upstream("lab", [*_balance(switches), *servers])
    if not several:
        return lines
    backups = [*servers[:1], *(Line(line.text.replace(";", " backup;"), line.switch) for line in servers[1:])]
    return [*lines, *_upstream("lesson", backups), *_numbers(labs)]


def _upstream(name: str, lines: Sequence[Line]) -> list[Line]:
    return [Line(f"  upstream {name} {{"), *lines, Line("    keepalive 32;"), Line("  }")]


def _server(switches: Switches, lab: str, several: bool) -> Line:
    if not several:
        return Line(f"    server {lab};")
    return Line(f"    server {lab};", "retry") if switches.retry else Line(f"    server {lab} {NEVER_AWAY};")


def _balance(switches: Switches) -> list[Line]:
    name = switches.balance
    return [] if name == ROUND_ROBIN else [Line(f"    {RULES.get(name, f'{name};')}", "balance")]


def _numbers(labs: Sequence[str]) -> list[Line]:
    """The name of the lab that has answered; after a repeated request, of the last of those asked."""
    names = [f'"{number} of {len(labs)}"' for number in range(1, len(labs) + 1)]
    places = [lab.replace(".", r"\.") for lab in labs]
    each = (f"    ~{place}$ {name};" for place, name in zip(places, names, strict=True))
    return [Line("  map $upstream_addr $lab {"), *map(Line, each), Line("  }")]


def next_lab(switches: Switches, labs: Sequence[str]) -> list[Line]:
    """When the next lab gets a request, and a header field with the number of the one that has answered."""
    if len(labs) < 2:
        return []
    again = Line(NEXT.replace("proxy", "# proxy", 1), "retry") if switches.retry else Line(NEXT)
    return [again, Line("      add_header X-Lab $lab always;")]
