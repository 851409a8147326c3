"""Was anything lost, doubled, out of order or contradicted? Compares all clients' records.

Pure: records in, violations out. Each client records its own events in order; how the clients interleave does
not matter. The names are those of Jepsen's Kafka workload for a log's anomalies.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from lab.experiment.records import At, Record

LOST = "lost-write"  # acknowledged, and no client received it though one received a later message
UNSEEN = "unseen"  # acknowledged, and a client that is still connected has not received it
SKIP = "poll-skip"  # messages left out without a gap event, or a gap event with the wrong number
BACKWARDS = "nonmonotonic-poll"  # a client received an earlier message again
DUPLICATE = "duplicate"  # received twice by one client, or stored twice in one history
CONTRADICTION = "inconsistent-offset"  # two contents at one place
ABORTED = "aborted-read"  # received, though its sender got an error with `"stored": false`
UNANNOUNCED = "unannounced-reset"  # another history without a reset event


class Violation(NamedTuple):
    """A violation: which anomaly, at which client, at which place."""

    name: str
    client: str
    at: At
    technique: str = ""

    def __str__(self) -> str:
        return f"{self.name} at {self.at[0]}-{self.at[1]} ({self.client} {self.technique})"


class Checker:
    """Checks records one after the other and keeps little of them; `violations` returns the anomalies."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.found: list[Violation] = []
        self.places: dict[str, At] = {}
        """The newest place of each client that is still connected."""
        self.deliveries: Counter[At] = Counter()
        """How many clients have received the message at each place."""
        self.acked: dict[At, Record] = {}
        self._missing: dict[str, set[At]] = defaultdict(set)
        self._skipped: set[At] = set()
        self._contents: dict[At, tuple[str, str]] = {}
        self._stored: dict[tuple[int, str], int] = {}
        self._refused: dict[str, Record] = {}
        self._received: set[str] = set()
        self._takes = {
            "open": self._open,
            "recv": self._recv,
            "gap": self._gap,
            "reset": self._reset,
            "ack": self._ack,
            "fail": self._fail,
            "close": self._close,
        }
        for record in records:
            self.take(record)

    def take(self, record: Record) -> None:
        """Check one record against the earlier ones."""
        if take := self._takes.get(record.kind):
            take(record)

    def violations(self) -> list[Violation]:
        """All violations, if these were all the records."""
        return [*self.found, *self._lost(), *self._unseen(), *self._aborted()]

    # Records of a client ----------------------------------------------------------------------

    def _open(self, record: Record) -> None:
        self.places[record.client] = record.at

    def _recv(self, record: Record) -> None:
        place = self.places.get(record.client, (record.epoch, record.n - 1))
        missing, at = self._missing[record.client], record.at
        behind = record.epoch == place[0] and record.n <= place[1]
        if behind and at not in missing:  # a client past this place that did not miss it has received it
            return self._flag(DUPLICATE, record)
        if behind:
            self._flag(BACKWARDS, record)
        elif record.epoch != place[0]:
            self._flag(UNANNOUNCED, record)
        elif record.n > place[1] + 1:
            self._flag(SKIP, record)
            skipped = {(record.epoch, n) for n in range(place[1] + 1, record.n)}
            self._skipped |= skipped
            missing |= skipped
        missing.discard(at)
        self.places[record.client] = max(place, at)
        self.deliveries[at] += 1
        self._received.add(record.mid)
        self._witness(record)

    def _gap(self, record: Record) -> None:
        epoch, n = self.places[record.client]
        self._missing[record.client] |= {(epoch, number) for number in range(n + 1, n + record.n + 1)}
        self.places[record.client] = (epoch, n + record.n)

    def _reset(self, record: Record) -> None:
        if record.epoch <= self.places.get(record.client, (0, 0))[0]:
            self._flag(BACKWARDS, record)
        self.places[record.client] = record.at

    def _close(self, record: Record) -> None:
        self.places.pop(record.client, None)

    # Records of a sender ----------------------------------------------------------------------

    def _ack(self, record: Record) -> None:
        self.acked[record.at] = record
        self._witness(record)

    def _fail(self, record: Record) -> None:
        self._refused[record.mid] = record

    def _witness(self, record: Record) -> None:
        """Check that one place has one content for all clients, and that one mid has one place."""
        content = (record.mid, record.hash)
        if self._contents.setdefault(record.at, content) != content:
            self._flag(CONTRADICTION, record)
        if self._stored.setdefault((record.epoch, record.mid), record.n) != record.n:
            self._flag(DUPLICATE, record)

    # Checks at the end ------------------------------------------------------------------------

    def _lost(self) -> list[Violation]:
        lost = [ack for at, ack in self.acked.items() if at in self._skipped and not self.deliveries[at]]
        return [Violation(LOST, ack.client, ack.at, ack.technique) for ack in lost]

    def _unseen(self) -> list[Violation]:
        last = max(self.acked, default=(0, 0))
        return [Violation(UNSEEN, client, last) for client, place in self.places.items() if place < last]

    def _aborted(self) -> list[Violation]:
        refused = [self._refused[mid] for mid in self._received & self._refused.keys()]
        return [Violation(ABORTED, record.client, record.at, record.technique) for record in refused]

    def _flag(self, name: str, record: Record) -> None:
        self.found.append(Violation(name, record.client, record.at, record.technique))
