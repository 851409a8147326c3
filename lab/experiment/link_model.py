"""The link between a listener and the lab: its delays. The relay simulates it, and theory uses it."""

from typing import NamedTuple


class Network(NamedTuple):
    """A link: its round trip, its jitter each way (s), and bits per second (0: no limit)."""

    rtt_s: float = 0.0
    jitter_s: float = 0.0
    bandwidth: float = 0.0

    @property
    def slow(self) -> bool:
        """Whether there is anything to simulate."""
        return any(self)


PRESETS = {
    "lan": Network(0.001, 0.0, 100e6),
    "wifi": Network(0.005, 0.002, 30e6),
    "4g": Network(0.050, 0.010, 20e6),
    "3g": Network(0.200, 0.040, 1e6),
}
"""Round figures chosen for teaching, not measurements: measure your own network and use `--rtt`."""
