"""The context: what every handler of the lab works with."""

import socket
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from tornado.netutil import is_valid_ip

from lab.lanes.recorder import Recorder
from lab.lanes.sends import Sends
from lab.meters import Account, Meters
from lab.room.presence import Presence
from lab.room.room import Room
from lab.settings import Settings
from lab.techniques.send_rate import SendRate

MOST_ACCOUNTS = 20_000
is_address = lru_cache(256)(is_valid_ip)
"""Cached, because every request calls it and it calls the system's resolver."""


class OpenStreams(Protocol):
    """All open streams of one framing."""

    def beat(self, now: float, silence: float) -> None:
        """Send a heartbeat to each client that has received nothing for `silence` seconds."""


class OpenStream(Protocol):
    """One open stream."""

    def close(self) -> None:
        """End it."""


class EveryAccount(dict[tuple[str, str], Account]):
    """Accounts that begin when they are first asked for, up to a limit.

    One of several labs counts all clients: the page that shows the costs of one may be at another lab.
    """

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        """The account of this client and technique; none for a client without an id."""
        if key not in self and key[0] and len(self) < MOST_ACCOUNTS:
            self[key] = Account()
        return super().get(key, default)


@dataclass
class Context:
    """What every handler works with: the room, the meters, presence, the recorder, the settings …"""

    room: Room
    settings: Settings
    backend: str = ""
    """Description of the Redis in use."""
    meters: Meters = field(default_factory=Meters)
    presence: Presence = field(default_factory=Presence)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    """The receiving costs of clients whose page shows them, by client id and technique."""
    recorder: Recorder = field(default_factory=Recorder)
    sends: Sends = field(default_factory=Sends)
    channels: dict[object, "OpenStreams"] = field(default_factory=dict)
    """The open streams, by framing."""
    senders: set["OpenStream"] = field(default_factory=set)
    """Streams that only send: they are in no channel, so the lab itself must close them when it closes."""
    draining: bool = False

    def __post_init__(self) -> None:
        if self.settings.front:
            self.accounts = EveryAccount()
        self.send_rate = SendRate(self.settings.limit("rate"))
        machine = plain(socket.gethostname())
        local = f"{machine.partition('.')[0]}.local"
        own = ("localhost", machine, local, plain(self.settings.host))
        self.names = {*own, *map(plain, self.settings.allow_hosts)}

    def answers_to(self, host: str) -> bool:
        """Whether the lab serves this host name: its own, or any IP address, which DNS cannot redirect.

        Names that end in `.localhost` are loopback (RFC 6761 section 6.3); `.local` is the machine's own
        name in its local network (RFC 6762).
        """
        name = plain(host)
        own = name in self.names or name.endswith(".localhost")
        return own or is_address(name.strip("[]").partition("%")[0])


def plain(host: str) -> str:
    """A host name in lower case, without an empty port and without the final dot of the DNS root."""
    return host.lower().removesuffix(":").removesuffix(".")
