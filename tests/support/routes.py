"""Every path of a lab in this process, and a page on its socket."""

from tests.support.listeners import handshake
from tests.support.wire import Wire

STAND_INS = {r"\.": ".", r"(\w+)": "sse", "(.*)": "room.js"}
"""What stands for a pattern in a route, so that the route can be asked for."""


def routes(school):
    """Every path that the application knows, and who answers it."""
    for rule in school.lab.server.request_callback.wildcard_router.rules:
        path = rule.matcher.regex.pattern.rstrip("$")
        for pattern, stand_in in STAND_INS.items():
            path = path.replace(pattern, stand_in)
        yield path, rule.target


async def watch(port):
    """A page on `/live`."""
    wire = await Wire.open(port)
    await wire.request("GET", "/live?light=1", handshake())
    assert (await wire.read_head()).status == 101
    return wire
