"""One line of the configuration of a proxy, which knows the switch that has changed it."""

from typing import NamedTuple


class Line(NamedTuple):
    """One line of nginx.conf. `switch` is the switch that has changed it; None in the right configuration.

    A line that a fault leaves out is there as a comment.
    """

    text: str
    switch: str | None = None
