"""The dialogue of a technique as a picture: who sends what in which order, made from its verb."""

from typing import NamedTuple

from lab.catalogue import Technique, server_side


class Part(NamedTuple):
    """One sentence of a dialogue.

    `who` is "client" or "server"; "held" is a request that stays open, "event" a message that the server
    accepts. It stands in the columns `start` to `end` of the picture: moments, from left to right.
    """

    who: str
    text: str
    start: int
    end: int


def part(who: str, text: str, start: int, end: int | None = None) -> Part:
    """A sentence in one column, or in several."""
    return Part(who, text, start, end or start)


DIALOGUES = {
    "ask": (
        part("client", "ask", 1),
        part("server", "no", 1),
        part("client", "ask", 2),
        part("server", "no", 2),
        part("event", "waits", 3, 4),
        part("client", "ask", 4),
        part("server", "yes", 4),
    ),
    "wait": (
        part("client", "wait", 1),
        part("held", "held", 1, 3),
        part("event", "event", 3),
        part("server", "yes", 3),
        part("client", "wait", 4),
        part("held", "held", 4),
    ),
    "stream": (
        part("client", "open", 1),
        part("held", "stream", 1, 4),
        part("event", "event", 2),
        part("server", "message", 2),
        part("event", "event", 3),
        part("server", "message", 3),
    ),
}
"""The dialogue of each verb."""


def dialogue(technique: Technique) -> tuple[Part, ...]:
    """The dialogue of a technique, in the order of time."""
    same_connection = technique.verb == "stream" and sends_by_its_connection(technique)
    return DIALOGUES[technique.verb] + ((part("client", "send", 4),) if same_connection else ())


def sends_by_its_connection(technique: Technique) -> bool:
    """Whether a client sends by the connection that receives: the technique has no other request for it."""
    (_, receiving), *others = server_side(technique.mode).ROUTES
    return not others and "POST" not in receiving.SUPPORTED_METHODS
