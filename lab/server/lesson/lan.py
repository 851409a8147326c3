"""Access for phones: the addresses of this machine, and listening at one of them while the lab runs."""

import asyncio
import io
import socket
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from lab.errors import BadParameter
from lab.json_types import JsonObject
from lab.server.connections.addresses import EVERYWHERE, for_others, in_url, is_loopback
from lab.server.connections.listen import listen
from lab.server.connections.metered_server import MeteredServer

VIRTUAL = ("docker", "br-", "veth", "virbr", "vmnet", "vbox", "tun", "tap", "utun", "wg", "zt", "tailscale")
"""Names of adapters that do not lead to the class: containers, virtual machines, tunnels."""
SIOCGIFADDR = 0x8915
"""Linux ioctl that returns the address of an adapter."""
QUIET_ZONE = 4
TEST_PATIENCE_S = 3.0


class Adapter(NamedTuple):
    """A network adapter of this machine: its name and its IPv4 address."""

    name: str
    address: str


class Network:
    """Whether phones can reach the lab, at which address, and how many have connected."""

    def __init__(self, server: MeteredServer, port: int, addresses: Iterable[str]) -> None:
        self.server = server
        self.port = port
        self.bound = set(addresses)
        """The addresses at which the lab listens, or the nginx before it."""
        self.tested: bool | None = None
        """Whether this machine reached itself at the chosen address; None before the test."""
        self._phones: set[str] = set()
        self.chosen: str | None = next(iter(self.addresses()), None)
        """The address that is shown to phones."""

    def addresses(self) -> list[str]:
        """The addresses of the lab for other machines, the most probable one first."""
        if EVERYWHERE in self.bound:
            return self._addresses()
        return sorted(for_others(self.bound), key=lambda address: ":" in address)

    def urls(self) -> list[str]:
        """The same as URLs."""
        return [self._url(address) for address in self.addresses()]

    def open(self, address: str) -> None:
        """Listen at one of this machine's addresses too, and show it. Raises `BadParameter`."""
        if address not in self._addresses():
            raise BadParameter("This machine has no adapter with that address.")
        if not self.bound & {EVERYWHERE, address}:
            if self.server.settings.front:
                raise BadParameter(
                    "The nginx in front of these labs does not listen there: start the lab with --lan."
                )
            try:
                self.server.add_sockets(listen(address, self.port))
            except OSError as error:
                raise BadParameter(f"Cannot listen on {address}:{self.port}: {error.strerror}.") from error
            self.bound.add(address)
        self.chosen, self.tested = address, None

    async def test(self) -> None:
        """Fetch the lab at its own address, as a phone would: if that works, a problem lies outside."""
        self.tested = False
        with suppress(OSError, TimeoutError):
            opening = asyncio.open_connection(self.chosen, self.port)
            _, writer = await asyncio.wait_for(opening, TEST_PATIENCE_S)
            writer.close()
            self.tested = True

    def came(self, address: str) -> None:
        """A client at this address opened a page; it is counted unless it is this machine."""
        if not is_loopback(address) and address not in {*self.bound, *self._addresses()}:
            self._phones.add(address)

    @property
    def url(self) -> str | None:
        """The URL of the lab for phones; None while they cannot reach it."""
        return self.chosen and self._url(self.chosen)

    def _url(self, address: str) -> str:
        settings = self.server.settings
        return f"{settings.outer_scheme}://{in_url(address)}:{self.port}{settings.own_base}"

    def as_json(self) -> JsonObject:
        """The state for the pages."""
        return {"url": self.url, "address": self.chosen, "tested": self.tested, "phones": len(self._phones)}

    @staticmethod
    def _addresses() -> list[str]:
        return [adapter.address for adapter in adapters()]


def qr_code(url: str) -> bytes:
    """A QR code as SVG: black on a white plate whatever the theme, with the margin that scanners need."""
    import segno  # only this picture needs it

    picture = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        picture, kind="svg", border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True, xmldecl=False
    )
    return picture.getvalue()


def adapters() -> list[Adapter]:
    """This machine's adapters, the one that most probably leads to the class first."""
    outward = outward_address()
    found = named_adapters() or [Adapter("", address) for address in own_addresses()]
    found += [Adapter("", outward)] if outward and outward not in [a.address for a in found] else []
    found = [adapter for adapter in found if not is_loopback(adapter.address)]
    return sorted(found, key=lambda a: (a.name.startswith(VIRTUAL), a.address != outward, a.name))


def outward_address() -> str | None:
    """The source address of this machine for connections to the Internet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # a documentation address: nothing is sent, a route is chosen
        return str(probe.getsockname()[0])
    return None


def own_addresses() -> list[str]:
    """The addresses to which this machine's own name resolves."""
    with suppress(OSError):
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_STREAM)
        return list(dict.fromkeys(str(info[4][0]) for info in found))
    return []


def named_adapters() -> list[Adapter]:
    """Adapters with their names, where the system lists them (Linux); otherwise none."""
    if sys.platform != "linux":
        return []
    return [Adapter(name, address) for _, name in socket.if_nameindex() if (address := address_of(name))]


def address_of(name: str) -> str | None:
    """The IPv4 address of an adapter on Linux; None for one without."""
    import fcntl  # not on Windows

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
        answer = fcntl.ioctl(asking, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        return socket.inet_ntoa(answer[20:24])
    return None
