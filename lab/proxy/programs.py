"""Which proxy: `haproxy,timeout=3s` is HAProxy with this switch; without a name it is nginx.

A switch that means nothing for a program is refused, with the reason.
"""

from typing import NamedTuple

from lab.errors import BadParameter
from lab.proxy.switches import ALWAYS, Switches, parse

NGINX = "nginx"
MODULES = {NGINX: "lab.proxy.nginx", "haproxy": "lab.proxy.haproxy", "caddy": "lab.proxy.caddy"}
"""The module that runs each program."""
TITLES = {NGINX: "nginx", "haproxy": "HAProxy", "caddy": "Caddy"}
WITHOUT = {
    NGINX: {},
    "haproxy": {
        "buffering": "it does not buffer responses",
        "gzip": "it obeys the lab's Cache-Control: no-transform",
        "http": "it always uses HTTP/1.1 to the lab",
        "keepalive": "it has no such limit",
    },
    "caddy": {
        "http": "it always uses HTTP/1.1 or HTTP/2 to the lab",
        "idle": "it does not close silent streams",
        "keepalive": "it has no such limit",
    },
}
"""The switches that a program does not have, and why."""
ALWAYS_PASSED = "it always passes a handshake on, so upgrade must be on or off"


class Proxy(NamedTuple):
    """A program, and its switches."""

    program: str
    switches: Switches

    def __str__(self) -> str:
        """As `read` reads it."""
        return str(self.switches) if self.program == NGINX else f"{self.program},{self.switches}"


def read(text: str) -> Proxy:
    """Read a proxy such as `haproxy,timeout=3s`.

    Raises `BadParameter` for a switch that does not exist, or not for this program.
    """
    first, _, rest = text.partition(",")
    named = first.strip() in MODULES
    found = Proxy(first.strip(), parse(rest)) if named else Proxy(NGINX, parse(text))
    _check(found)
    return found


def of_several_labs(text: str) -> Switches:
    """The switches of an nginx before several labs. Raises `BadParameter` for another program."""
    program, switches = read(text)
    if program != NGINX:
        raise BadParameter(f"Only nginx can be in front of several labs; leave out {program}.")
    return switches


def _check(proxy: Proxy) -> None:
    title, usual = TITLES[proxy.program], Switches()
    for switch, reason in WITHOUT[proxy.program].items():
        if getattr(proxy.switches, switch) != getattr(usual, switch):
            raise BadParameter(f"{title} has no switch {switch}: {reason}.")
    if proxy.program != NGINX and proxy.switches.of_several:
        raise BadParameter(f"{title} has no switch {proxy.switches.of_several[0]}: several labs need nginx.")
    if proxy.program != NGINX and proxy.switches.upgrade == ALWAYS:
        raise BadParameter(f"{title} has no upgrade={ALWAYS}: {ALWAYS_PASSED}.")
