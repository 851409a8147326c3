"""The conditions of a run: everything that another run needs to be the same."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from lab.errors import BadParameter, hint
from lab.experiment.client_processes import MOST_PROCESSES, cores, usual
from lab.experiment.link_model import Network
from lab.experiment.quantities import number, one_of, quoted, truth, whole
from lab.json_types import JsonObject
from lab.proxy.programs import of_several_labs, read
from lab.proxy.switches import GOOD
from lab.settings import COMPRESS, FRESH, MOST_LABS

MOST_CLIENTS = 20_000
MOST_MESSAGES = 1_000_000
LARGEST_SEED = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly (RFC 8259 section 6)."""
WHOLE: dict[str, tuple[int, int]] = {
    "clients": (1, MOST_CLIENTS),
    "payload": (1, 100_000),
    "rounds": (1, 1000),
    "seed": (0, LARGEST_SEED),
    "labs": (1, MOST_LABS),
}
NUMBERS: dict[str, tuple[float, float]] = {
    "rate": (0.001, 10_000),
    "duration": (0.1, 24 * 3600),
    "interval": (0.001, 3600),
    "hold": (0.1, 3600),
    "rtt": (0, 60),
    "jitter": (0, 30),
    "bandwidth": (0, 1e12),
}
CHOICES = {"arrivals": ("poisson", "periodic"), "headers": ("browser", "bare")}
SUBPROTOCOLS = ("json", "binary")
"""What a WebSocket can speak inside its frames, without the prefix of the names on the wire."""


@dataclass(frozen=True)
class Conditions:
    """The conditions of a run: clients, message rate, poll interval and so on. Durations in seconds."""

    clients: int = 20
    rate: float = 1.0
    """Messages per second in the room."""
    duration: float = 10.0
    interval: float = 1.0
    """Seconds that a short poller waits after each response."""
    hold: float = 25.0
    """Longest hold of a long poll."""
    payload: int = 40
    """Characters of a message's body."""
    arrivals: str = "poisson"
    headers: str = "browser"
    keep_alive: bool = True
    compress: bool | str = False
    """How WebSocket messages are compressed: False, "fresh" (or True) or "kept"."""
    rounds: int = 1
    seed: int = 1
    rtt: float = 0.0
    """Round trip that a simulated link adds between listeners and lab; 0: none."""
    jitter: float = 0.0
    """Greatest deviation of each way from half the round trip."""
    bandwidth: float = 0.0
    """Bits per second of each listener's link, each way; 0 is no limit."""
    subprotocol: str | None = None
    """The WebSocket's subprotocol, "json" or "binary"; None: the clients offer none."""
    proxy: str | None = None
    """How the nginx before the lab is configured, as `timeout=3s,buffering=on`; None: there is none."""
    labs: int = 1
    """How many labs share one Redis; more than one have an nginx before them."""
    client_processes: int | None = None
    """In how many processes the simulated clients work; None: by their number and that of the cores."""

    def __post_init__(self) -> None:
        for name, value in self._checked().items():
            object.__setattr__(self, name, value)  # the same, as plain numbers and text
        if self.labs > 1 and self.proxy is None:
            object.__setattr__(self, "proxy", GOOD)
        if self.proxy:
            self._check_proxy(self.proxy)
        number("jitter", self.jitter, 0, self.rtt / 2)  # no byte arrives before it was sent
        if self.proxy and self.network.slow:
            raise BadParameter("A proxy and a slow link cannot be measured together; leave one of them out.")
        if self.bandwidth:
            number("bandwidth", self.bandwidth, 1000, NUMBERS["bandwidth"][1])
        if self.messages < 1:
            raise BadParameter("With this rate and duration no message is sent; increase one of them.")
        number("rate × duration", self.messages, 1, MOST_MESSAGES)

    def _checked(self) -> JsonObject:
        """Every condition as plain Python. Raises `BadParameter` for the first that makes no sense."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return (
            {name: whole(name, given[name], *bounds) for name, bounds in WHOLE.items()}
            | {name: number(name, given[name], *bounds) for name, bounds in NUMBERS.items()}
            | {name: one_of(name, given[name], choices) for name, choices in CHOICES.items()}
            | {"keep_alive": truth("keep_alive", given["keep_alive"])}
            | {"compress": compression(given["compress"])}
            | {
                "subprotocol": given["subprotocol"]
                and one_of("subprotocol", given["subprotocol"], SUBPROTOCOLS)
            }
            | {"proxy": None if given["proxy"] is None else spec(given["proxy"])}
            | {"client_processes": processes(given["client_processes"], given["clients"])}
        )

    def _check_proxy(self, proxy: str) -> None:
        if self.labs > 1:
            of_several_labs(proxy)
        elif alone := read(proxy).switches.of_several:
            raise BadParameter(f"{alone[0]} needs several labs; add labs=2 (--labs 2).")

    @property
    def messages(self) -> int:
        """How many messages the timetable holds: rate × duration."""
        return round(self.rate * self.duration)

    @property
    def processes(self) -> int:
        """In how many processes the simulated clients work on this machine."""
        return self.client_processes or usual(self.clients, cores())

    @property
    def network(self) -> Network:
        """The link between the listeners and the lab."""
        return Network(self.rtt, self.jitter, self.bandwidth)

    @classmethod
    def of(cls, recorded: JsonObject, **changed: Any) -> "Conditions":
        """The conditions of a recorded run, with some of them changed."""
        plain = {name.removesuffix("_s"): value for name, value in recorded.items()}
        return cls(**(plain | changed))

    def as_json(self) -> JsonObject:
        """The conditions with units in their names, as a run records them."""
        values = asdict(self)
        for name in ("duration", "interval", "hold", "rtt", "jitter"):
            values[f"{name}_s"] = values.pop(name)
        if not self.jitter:  # only recorded when there is some
            del values["jitter_s"]
        for name in ("subprotocol", "proxy", "client_processes"):
            if not values[name]:
                del values[name]
        if values["labs"] == 1:
            del values["labs"]
        return values


def spec(value: object) -> str:
    """A proxy with its switches, spelled in one way. Raises `BadParameter`."""
    if not isinstance(value, str):
        raise BadParameter(f"proxy must be text such as timeout=3s,buffering=on, not {quoted(value)}.")
    return str(read(value))


def processes(value: object, clients: int) -> int | None:
    """A number of processes in which each has a client; None is the usual one. Raises `BadParameter`."""
    if value is None:
        return None
    return whole(
        "client_processes", value, 1, min(MOST_PROCESSES, whole("clients", clients, *WHOLE["clients"]))
    )


def compression(value: object) -> bool | str:
    """False, "fresh" or "kept"; True is "fresh". Raises `BadParameter` for any other value."""
    if isinstance(value, str) and value in COMPRESS:
        return str(value)
    try:
        return FRESH if truth("compress", value) else False
    except BadParameter:
        words = ", ".join(COMPRESS)
        raise BadParameter(f"compress must be True, False or one of {words}, not {quoted(value)}.") from None


def known(conditions: JsonObject) -> Conditions:
    """These conditions. Raises `BadParameter` for one that is not there, with the name most like it."""
    names = [field.name for field in fields(Conditions)]
    for name in conditions:
        if name not in names:
            there = f"there are {', '.join(names)}."
            raise BadParameter(f"There is no condition {name!r}; {there}{hint(name, names)}")
    return Conditions(**conditions)
