"""Which technique a new user gets that did not choose one."""

from itertools import count

from lab.catalogue import MODES, POLLS, PREFERENCE

CHOICE, ROTATION = "choice", "rotation"
WAYS = (CHOICE, ROTATION, *MODES)


class Assignment:
    """The rule: the best that works in each network, one after the other, or the same for all."""

    def __init__(self) -> None:
        self.way = CHOICE
        self._arrivals = count()

    def next(self) -> str:
        """The technique with which the next new user begins."""
        if self.way == ROTATION:
            return MODES[next(self._arrivals) % len(MODES)]
        return POLLS[0] if self.way == CHOICE else self.way

    def order(self, mode: str) -> tuple[str, ...]:
        """The techniques that a browser which begins with this one may change to, best first."""
        if self.way == CHOICE:
            return PREFERENCE
        return (mode, *(poll for poll in POLLS if poll != mode))
