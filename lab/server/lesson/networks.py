"""What the networks of a class do, as the pages `/doctor` report it: faults for each address, and no names.

Reports are claims: any client can send one. They are kept in memory only, and no address is ever shown.
"""

from collections import Counter

from lab.json_types import JsonObject

FAULTS = ("upgrade", "buffers", "lines", "silence", "head", "connections")
"""What a network can do: refuse WebSockets, buffer event streams or other streams, cut silent connections,
refuse a large head, refuse a seventh connection."""
MOST_NETWORKS = 1000
"""Addresses that are remembered; the one that has not reported for the longest time is forgotten first."""


class Networks:
    """The newest report of each address."""

    def __init__(self) -> None:
        self._faults: dict[str, tuple[str, ...]] = {}

    def report(self, address: str, faults: list[str]) -> None:
        """Replace the report of this address."""
        self._faults.pop(address, None)
        self._faults[address] = tuple(fault for fault in FAULTS if fault in faults)
        if len(self._faults) > MOST_NETWORKS:
            del self._faults[next(iter(self._faults))]

    def as_json(self) -> JsonObject:
        """How many networks have reported, and how many of them have each fault."""
        counted = Counter(fault for faults in self._faults.values() for fault in faults)
        return {"count": len(self._faults), "faults": {fault: counted[fault] for fault in FAULTS}}
