"""The bet: which technique needs the most bytes for each message? Users vote, then bytes are counted."""

from lab.catalogue import MODES
from lab.errors import BadParameter
from lab.json_types import JsonObject
from lab.meters import Meters

CLOSED, OPEN, COUNTING = "closed", "open", "counting"
MOST_VOTERS = 1000


class Bet:
    """One bet at a time; one vote per page, which may be changed while the bet is open."""

    def __init__(self, meters: Meters) -> None:
        self.meters = meters
        self.state = CLOSED
        self._votes: dict[str, str] = {}
        self._before: dict[str, tuple[int, int]] = {}

    def do(self, action: str) -> None:
        """`open` the voting, `count` the bytes from now on, or `close` the bet. Raises `BadParameter`."""
        if action == "open":
            self.state, self._votes = OPEN, {}
        elif action == "count" and self.state == OPEN:
            self.state, self._before = COUNTING, {mode: self._cost(mode) for mode in MODES}
        elif action == "close":
            self.state = CLOSED
        else:
            raise BadParameter("A bet is opened, then counted, then closed.")

    def vote(self, fields: JsonObject) -> None:
        """`{"client","mode"}`: record the vote of a page, while the bet is open."""
        client, mode = fields.get("client"), fields.get("mode")
        known = client in self._votes or len(self._votes) < MOST_VOTERS
        if self.state == OPEN and mode in MODES and isinstance(client, str) and known:
            self._votes[client[:64]] = str(mode)

    def meters_reset(self) -> None:
        """The meters were reset: restart the count of bytes too."""
        self._before = dict.fromkeys(self._before, (0, 0))

    def as_json(self) -> JsonObject:
        """The state for the pages; the votes for each technique are included only after the voting."""
        fields: JsonObject = {"state": self.state, "voters": len(self._votes)}
        if self.state != COUNTING:
            return fields
        votes = list(self._votes.values())
        tally = {mode: votes.count(mode) for mode in MODES}
        return fields | {"votes": tally, "truth": {mode: self._truth(mode) for mode in MODES}}

    def _truth(self, mode: str) -> float | None:
        """Bytes for each message delivered since the voting ended; None while there is none."""
        (size, messages), (size_before, before) = self._cost(mode), self._before[mode]
        return (size - size_before) / (messages - before) if messages > before else None

    def _cost(self, mode: str) -> tuple[int, int]:
        meter = self.meters.techniques[mode].receive
        return meter.bytes_in + meter.bytes_out, meter.messages
