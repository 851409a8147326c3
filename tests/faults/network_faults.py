"""What networks do: forget a client, cut it off, lose packets, be slow.

The listeners connect through a relay with an address of its own: a packet filter can filter it. All
of it happens in a network namespace that belongs to this process alone.
"""

import asyncio
import ctypes
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

from tests.faults.scene import Scene
from tests.support.kernel import TIME_WAIT, connections
from tests.support.wire import HOST

NEW_NETWORK = 0x40000000
AWAY = "127.0.0.66"
"""Where the relay calls the lab from."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset."""
SHAPE = """
qdisc add dev lo root handle 1: htb
class add dev lo parent 1: classid 1:1 htb rate {rate}
qdisc add dev lo parent 1:1 bfifo limit {queue}
filter add dev lo parent 1: protocol ip u32 match ip src {away} flowid 1:1
filter add dev lo parent 1: protocol ip u32 match ip dst {away} flowid 1:1
"""
"""One queue for all that passes between the relay and the lab; everything else goes by without waiting."""
QUEUE = 125_000
"""Bytes that wait for the link, a second's worth at 1 Mbit/s; the kernel's own choice would be minutes."""


def own_network() -> bool:
    """Move this process into a network of its own, where the system lets it. Says whether it did."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        return False
    if ctypes.CDLL(None).unshare(NEW_NETWORK):
        return False
    return subprocess.call(["ip", "link", "set", "lo", "up"]) == 0


def filter_missing() -> str | None:
    """Why packets cannot be filtered here."""
    if not shutil.which("nft"):
        return "nft is missing (apt-get install nftables)"
    links = Path("/proc/self/net/dev").read_text().count(":")
    return None if links == 1 and os.geteuid() == 0 else "no network namespace of its own; needs root"


def filtered(rule: str) -> None:
    """Treat all packets of the relay by this rule; an empty one lets them pass."""
    rules = "flush ruleset\n"
    if rule:
        rules += "add table ip t\nadd chain ip t c { type filter hook input priority 0; }\n"
        rules += f"add rule ip t c ip saddr {AWAY} {rule}\nadd rule ip t c ip daddr {AWAY} {rule}\n"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


class Away:
    """A relay whose connections to the lab come from an address of their own, and may be cut."""

    def __init__(self, scene: Scene) -> None:
        self.lab = (HOST, scene.port)
        self.writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> str:
        """Begin to listen; returns the URL that stands for the lab."""
        self.server = await asyncio.start_server(self.carry, HOST, 0)
        return f"http://{HOST}:{self.server.sockets[0].getsockname()[1]}"

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass everything on, both ways, until one side ends."""
        self.writers.add(writer)
        with closing(writer), suppress(OSError):  # closed, too, when the lab is not there
            there, back = await asyncio.open_connection(*self.lab, local_addr=(AWAY, 0))
            self.writers.add(back)
            await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    def cut(self) -> None:
        """Reset every connection on both sides."""
        for writer in self.writers:
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
        self.writers.clear()

    def close(self) -> None:
        """End it all."""
        self.server.close()
        self.cut()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One way of a relay."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def listeners_move_away(scene: Scene) -> Away:
    """From now on the listeners come through the relay."""
    away = Away(scene)
    url = await away.open()
    for listener in scene.listeners:
        await listener.go()
        listener.url = url
        await listener.come()
    scene.closing.append(away.close)
    await scene.sender.burst(1)
    await scene.all_received()
    return away


def connected(port: int) -> int:
    """How many of the lab's sockets are open towards the relay; what a killed lab leaves is none."""
    rows = (row for row in connections() if row.state != TIME_WAIT)
    return sum(row.here[1] == port and row.there[0] == AWAY for row in rows)


async def vanish(scene: Scene) -> None:
    """All listeners are cut off silently: the lab drops them within 20 s, they notice it within 50 s."""
    await listeners_move_away(scene)
    filtered("drop")
    began = time.monotonic()
    while connected(scene.port) and time.monotonic() - began < 20:  # noqa: ASYNC110 - the kernel gives no signal
        await asyncio.sleep(0.1)
    left = connected(scene.port)
    scene.notes.append(f"{left} not freed" if left else f"freed after {time.monotonic() - began:.1f} s")
    if left:
        scene.complaints.append(f"{left} vanished clients were not freed within 20 s")
    await asyncio.sleep(max(0.0, 50 - (time.monotonic() - began)))
    filtered("")


async def cut(scene: Scene) -> None:
    """Every listener's connection is reset, three times: all come back and go on where they were."""
    away = await listeners_move_away(scene)
    for _ in range(3):
        await scene.pause(1)
        away.cut()


async def lose(scene: Scene) -> None:
    """The link loses 30 % of all packets for 10 s: nothing is lost."""
    await listeners_move_away(scene)
    filtered("numgen random mod 100 < 30 drop")
    await scene.pause(10)
    filtered("")
    await all_notice(scene)


async def link_down(scene: Scene) -> None:
    """The link is down for 10 s: nothing is lost."""
    await listeners_move_away(scene)
    filtered("drop")
    await scene.pause(10)
    filtered("")
    await all_notice(scene)


async def all_notice(scene: Scene) -> None:
    """The link works again; a client that the lab dropped meanwhile notices it by the silence."""
    scene.healed = time.monotonic()
    await asyncio.sleep(20)


async def slow(scene: Scene) -> None:
    """All share 1 Mbit/s for 20 s, a fortieth of what they need: their gaps are exact, whole within 50 s."""
    await listeners_move_away(scene)
    before = len(scene.of("recv"))
    shape("1mbit")
    await scene.pause(20)
    scene.notes.append(f"{len(scene.of('recv')) - before:,} received meanwhile")
    unshape()
    await all_notice(scene)


def shape(rate: str) -> None:
    """From now on the relay and the lab have a link of so many bits a second."""
    orders = SHAPE.format(rate=rate, away=AWAY, queue=QUEUE)
    subprocess.run(["tc", "-batch", "-"], input=orders, text=True, check=True, capture_output=True)


def unshape() -> None:
    """The link is as fast as before."""
    with suppress(FileNotFoundError):
        subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=False, capture_output=True)


def shaper_missing() -> str | None:
    """Why no link can be made slow here."""
    if missing := filter_missing():
        return missing
    try:
        shape("1mbit")
    except (OSError, subprocess.CalledProcessError):
        return "tc cannot shape a link; needs iproute2 and the kernel's HTB and u32"
    finally:
        unshape()
    return None


async def kill_sockets(scene: Scene) -> None:
    """The system kills the lab's end of every connection, three times: all come back to where they were."""
    killed = []
    for _ in range(3):
        await scene.pause(1)
        killed.append(kill_established(scene.port))
    scene.notes.append(f"{', '.join(map(str, killed))} killed")
    if not all(killed):
        scene.complaints.append(scene.notes[-1])


def kill_established(port: int) -> int:
    """End all connections that have this port at their near end, without either program's doing; how many."""
    words = ["ss", "-KHtn", "state", "established", "sport", "=", f":{port}"]
    return len(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines())


def killer_missing() -> str | None:
    """Why the system does not kill connections here: it needs root and CONFIG_INET_DIAG_DESTROY."""
    server = socket.create_server((HOST, 0))
    try_it = suppress(OSError, subprocess.CalledProcessError)
    with try_it, server, socket.create_connection(server.getsockname()), server.accept()[0]:
        if kill_established(server.getsockname()[1]):
            return None
    return "ss -K kills nothing; needs root, iproute2 and a kernel that lets it"
