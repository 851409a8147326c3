"""The conditions of a run: everything that another run needs to be the same."""

from dataclasses import asdict, dataclass
from typing import Any

from lab.errors import BadParameter
from lab.experiment.network import Network

MOST_CLIENTS = 20_000
MOST_MESSAGES = 1_000_000


@dataclass(frozen=True)
class Conditions:
    """What is measured under: who listens, how fast is spoken, how often is asked. Durations in seconds."""

    clients: int = 20
    rate: float = 1.0
    """Messages per second in the room."""
    duration: float = 10.0
    interval: float = 1.0
    """What a short poller waits after each answer."""
    hold: float = 25.0
    """What a waiting poll is held at most."""
    payload: int = 40
    """Characters of a message's body."""
    arrivals: str = "poisson"
    headers: str = "browser"
    keep_alive: bool = True
    compress: bool = False
    rounds: int = 1
    seed: int = 1
    rtt: float = 0.0
    """Round trip that a slow link adds between listeners and lab; 0 is no slow link."""
    jitter: float = 0.0
    """How far each way may stray from half the round trip."""
    bandwidth: float = 0.0
    """Bits per second of each listener's link, each way; 0 is no limit."""

    def __post_init__(self) -> None:
        _within("clients", self.clients, 1, MOST_CLIENTS)
        _within("rate", self.rate, 0.001, 10_000)
        _within("duration", self.duration, 0.1, 24 * 3600)
        _within("interval", self.interval, 0.001, 3600)
        _within("hold", self.hold, 0.1, 3600)
        _within("payload", self.payload, 1, 100_000)
        _within("rounds", self.rounds, 1, 1000)
        _within("rtt", self.rtt, 0, 60)
        _within("jitter", self.jitter, 0, self.rtt / 2)  # no byte arrives before it was sent
        if self.bandwidth:
            _within("bandwidth", self.bandwidth, 1000, 1e12)
        _one_of("arrivals", self.arrivals, ("poisson", "periodic"))
        _one_of("headers", self.headers, ("browser", "bare"))
        if self.messages < 1:
            raise BadParameter("With this rate and duration no message is sent; raise one of them.")
        _within("rate × duration", self.messages, 1, MOST_MESSAGES)

    @property
    def messages(self) -> int:
        """How many messages the timetable holds: rate × duration."""
        return round(self.rate * self.duration)

    @property
    def network(self) -> Network:
        """The link between the listeners and the lab."""
        return Network(self.rtt, self.jitter, self.bandwidth)

    @classmethod
    def of(cls, recorded: dict[str, Any], **changed: Any) -> "Conditions":
        """The conditions that a run has recorded, some of them changed."""
        plain = {name.removesuffix("_s"): value for name, value in recorded.items()}
        return cls(**(plain | changed))

    def as_json(self) -> dict[str, Any]:
        """The conditions with units in their names, as a run records them."""
        values = asdict(self)
        for name in ("duration", "interval", "hold", "rtt", "jitter"):
            values[f"{name}_s"] = values.pop(name)
        if not self.jitter:  # said only where there is some
            del values["jitter_s"]
        return values


def _within(name: str, value: float, least: float, most: float) -> None:
    if not isinstance(value, (int, float)) or not least <= value <= most:
        raise BadParameter(f"{name} is a number from {least:g} to {most:g}, not {value!r}.")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadParameter(f"{name} is {' or '.join(choices)}, not {value}.")
