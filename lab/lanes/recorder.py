"""What one listener of each technique receives, over time: the lanes of the compare page.

The endpoints report facts ("a request began", "a batch was delivered", "it ended"); the recorder keeps those
of one listener per technique, the newest few thousand, also when no page shows them. The meters have the
costs of all listeners. A listener that is not in a lane costs one comparison per batch.
"""

import time
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, Protocol

from lab.catalogue import TECHNIQUES
from lab.json_types import JsonObject
from lab.lanes.capture import Capture, Place, place_of, start_capture, stop_capture
from lab.room.messages import Batch

KEPT_FACTS = 4096
"""More than ten seconds of facts when every lane is busy."""
NAMED = 20
"""Messages that one fact names; of a longer batch the newest."""
KEPT_WIRES = 200
"""Requests of each lane whose bytes are kept: half a minute of frequent polls."""
GRACE_S = {"ask": 5.0, "wait": 1.0, "stream": 0.0}
"""Seconds that a lane waits for its listener's next request, by verb; then another listener gets it."""

Fact = JsonObject


class Request(Protocol):
    """An open receive request, as the recorder uses it."""

    in_lane: bool
    """Whether it is the one in its technique's lane."""
    empty: bool
    """Whether its response carried no event."""
    stream: Any
    """Its connection."""
    client: str
    """The id of its client; empty when it sent none."""

    @property
    def mode(self) -> str:
        """Its technique."""

    @property
    def listener(self) -> object:
        """The key of its client: its own id, else its username, else its connection."""


class Opened(NamedTuple):
    """When an open request began, and where in the bytes of its connection."""

    at: float
    place: Place


@dataclass
class Lane:
    """One technique's lane: its listener, that listener's open request, and all open requests by age."""

    grace: float
    listener: object = None
    request: Request | None = None
    rival: object = None
    """The first other listener with a request since the lane's listener had one."""
    left: float = float("-inf")
    open: dict[Request, Opened] = field(default_factory=dict)
    wires: deque[Capture] = field(default_factory=lambda: deque(maxlen=KEPT_WIRES))
    """The bytes of the newest requests that the lane has shown."""

    def show(self, request: Request) -> None:
        """Give the lane to a request."""
        self.listener, self.request, self.rival = request.listener, request, None
        request.in_lane = True
        self.wires.append(start_capture(request, *self.open[request]))

    def free(self, now: float) -> bool:
        """Whether the lane's listener has sent no request in time."""
        return self.request is None and now - self.left >= self.grace


class Recorder:
    """A lane for each technique, and its newest facts; times are milliseconds since the recorder began."""

    def __init__(self) -> None:
        self.zero = time.monotonic()  # the clock of asyncio's event loops
        self.noted = 0
        """Number of all facts so far; an index in their sequence."""
        self._facts: deque[Fact] = deque(maxlen=KEPT_FACTS)
        self.lanes = {mode: Lane(GRACE_S[technique.verb]) for mode, technique in TECHNIQUES.items()}
        """The lane of each technique."""
        self.followed: dict[object, deque[Capture]] = {}
        """The newest requests of pages that see their own bytes, by the name that only the page knows."""

    # What the endpoints report ----------------------------------------------------------------

    def began(self, request: Request, now: float) -> None:
        """A receive request began, at `now` (seconds on the event loop's clock)."""
        lane = self.lanes[request.mode]
        lane.open[request] = Opened(now, place_of(request))
        if lane.request is None:
            if request.listener in (lane.listener, lane.rival) or lane.free(now):
                lane.show(request)
            lane.rival = lane.rival or request.listener
        if self.followed and not request.client and request.listener in self.followed:
            self.followed[request.listener].append(start_capture(request, *lane.open[request]))

    def handed(self, request: Request, batch: Batch, now: float, timed: bool) -> None:
        """A batch was delivered to the lane's request, at `now`; the response may be complete already."""
        fresh = [[str(e.cursor), self._ms(e.accepted_at)] for e in batch.messages if timed and e.accepted_at][
            -NAMED:
        ]
        if batch.events:
            more = len(batch.messages) - len(fresh)
            self._note({"lane": request.mode, "at": self._ms(now), "messages": fresh, "more": more})

    def ended(self, request: Request, now: float) -> None:
        """A receive request ended."""
        lane = self.lanes[request.mode]
        opened = lane.open.pop(request, None)
        if opened and lane.request is request:
            ends = {"from": self._ms(opened.at), "to": self._ms(now), "empty": request.empty}
            self._note({"lane": request.mode} | ends)
            stop_capture(request)
            lane.request, lane.left, lane.rival = None, now, None
        elif self.followed:
            stop_capture(request)

    def tend(self) -> None:
        """Give each lane whose listener is gone to the oldest open request of another listener."""
        now = time.monotonic()
        for lane in self.lanes.values():
            if lane.open and lane.free(now):
                lane.show(next(iter(lane.open)))

    # What a page receives ----------------------------------------------------------------------

    def since(self, place: int) -> list[Fact]:
        """The kept facts after an index in their sequence."""
        return list(islice(self._facts, max(0, len(self._facts) - (self.noted - place)), None))

    def open(self) -> dict[str, float]:
        """The lanes in which a request is open at this moment, and when it began."""
        in_lane = {mode: (lane, lane.request) for mode, lane in self.lanes.items()}
        return {mode: self._ms(lane.open[request].at) for mode, (lane, request) in in_lane.items() if request}

    def capture(self, mode: str, began: float) -> Capture | None:
        """The capture of the request that began at this time in a lane; None when it is not kept."""
        return next((w for w in self.lanes[mode].wires if self._ms(w.began) == round(began, 2)), None)

    def now(self) -> float:
        """The current time in milliseconds, on the recorder's clock."""
        return self._ms(time.monotonic())

    def _note(self, fact: Fact) -> None:
        self.noted += 1
        self._facts.append(fact)

    def _ms(self, moment: float) -> float:
        return round((moment - self.zero) * 1000, 2)
