"""Which technique a new user gets that did not choose one."""

from itertools import count

from lab.catalogue import DEFAULT, MODES

CHOICE, ROTATION = "choice", "rotation"
WAYS = (CHOICE, ROTATION, *MODES)


class Assignment:
    """The rule: free choice (the default technique at first), one after the other, or the same for all."""

    def __init__(self) -> None:
        self.way = ROTATION
        self._arrivals = count()

    def next(self) -> str:
        """The technique for the next new user."""
        if self.way == ROTATION:
            return MODES[next(self._arrivals) % len(MODES)]
        return DEFAULT if self.way == CHOICE else self.way
