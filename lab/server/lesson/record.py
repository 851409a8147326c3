"""The guided lesson as it is kept in Redis: a field for the place, and one for each question that was asked.

Other programs can write to the same Redis, so reading is strict: what this lab could not have written raises
`NotOurs`.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any, NamedTuple

from lab.catalogue import MODES
from lab.errors import BadParameter
from lab.json_types import JsonObject
from lab.server.lesson.assignment import WAYS
from lab.server.lesson.bet import COUNTING, LONGEST_ID, MEASURED, MOST_VOTERS, OPEN, Answer, Bet
from lab.server.lesson.counted import Counted
from lab.server.lesson.guided import Asked, Guided
from lab.server.lesson.names import LONGEST_NAME, name_or_empty
from lab.server.lesson.questions import Question
from lab.server.lesson.simulated_students import Plan
from lab.server.lesson.why import Seen

PLACE = "place"
"""The name of the field for the place."""
MOST_BYTES = 4 * 2**20
"""A field of all answers that one question may have is shorter, however its characters are written."""
GREATEST = 2**53
"""Greater whole numbers are not exact in a browser."""
WHOLE = tuple(field.name for field in fields(Counted) if field.name != "slowest_s")
"""The names of the counts that are whole numbers."""


class NotOurs(Exception):
    """A value that no lab with this lesson has written; the text is the reason."""


class Place(NamedTuple):
    """The place in the lesson, None after its end, and the assignment of techniques."""

    place: int | None
    way: str


def names(guided: Guided) -> list[str]:
    """The names of all fields that this lesson may have."""
    return [PLACE, *(name_of(at) for at, stop in enumerate(guided.stops) if stop.question)]


def name_of(place: int) -> str:
    """The name of the field for the question at this place."""
    return f"question:{place}"


def _identity(guided: Guided) -> str:
    """What identifies a lesson: a digest of its steps, with their questions and texts."""
    return sha256(repr((guided.steps, guided.texts)).encode(errors="backslashreplace")).hexdigest()


# Writing --------------------------------------------------------------------------------------------


def place_as_text(guided: Guided, way: str) -> bytes:
    """The field for the place."""
    return _text({"lesson": _identity(guided), "place": guided.place, "way": way})


def question_as_text(bet: Bet, seen: Seen | None) -> bytes:
    """The field for a question, with its answers and what was counted."""
    answers = [[client, *answer] for client, answer in bet.answers.items()]
    fields: JsonObject = {"state": bet.state, "number": bet.number, "answers": answers}
    return _text(fields | {"seen": seen and _seen_as_json(seen)})


def _seen_as_json(seen: Seen) -> JsonObject:
    counted = {mode: asdict(one) for mode, one in seen.counted.items()}
    return seen._asdict() | {"counted": counted, "plan": seen.plan and asdict(seen.plan)}


def _text(value: JsonObject) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()  # escaped: an id may have half a character


# Reading --------------------------------------------------------------------------------------------


def read_place(text: bytes, guided: Guided) -> Place:
    """The place in this field. Raises `NotOurs`, also when it is of a lesson with other steps."""
    with _strictly():
        found = json.loads(text)
        if found["lesson"] != _identity(guided):
            raise NotOurs("it belongs to a lesson with other steps")
        place, way = found["place"], found["way"]
        _check(place is None or _whole(place) < len(guided.stops))
        _check(isinstance(way, str) and way in WAYS)
        return Place(place, way)


def read_question(text: bytes, question: Question) -> Asked:
    """The question in this field, with its answers. Raises `NotOurs`."""
    with _strictly():
        found = json.loads(text)
        state, answers = found["state"], found["answers"]
        seen = None if found["seen"] is None else _seen(found["seen"])
        _check(state in (OPEN, COUNTING, MEASURED) and (seen is not None or state != MEASURED))
        _check(isinstance(answers, list) and len(answers) <= MOST_VOTERS)
        state = MEASURED if state == MEASURED else OPEN  # its count has ended with the lab
        return Asked(state, _whole(found["number"]), dict(_answer(one, question) for one in answers), seen)


@contextmanager
def _strictly() -> Iterator[None]:
    """Raise `NotOurs` for everything that reading a strange value may raise."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, BadParameter) as error:
        raise NotOurs("no lab has written it") from error


def _check(is_so: bool) -> None:
    if not is_so:
        raise ValueError


def _answer(value: Any, question: Question) -> tuple[str, Answer]:
    client, name, guess = value
    _check(isinstance(client, str) and len(client) <= LONGEST_ID and question.accepts(guess))
    return client, Answer(name_or_empty(name, LONGEST_NAME), guess)


def _seen(value: Any) -> Seen:
    _check(set(value) == set(Seen._fields) and set(value["counted"]) == set(MODES))
    counted = {mode: _counted(value["counted"][mode]) for mode in MODES}
    rate = None if value["rate"] is None else _real(value["rate"])
    plan = None if value["plan"] is None else Plan.read(value["plan"])
    return Seen(counted, _real(value["seconds"]), rate, value["overloaded"] is True, plan)


def _counted(value: Any) -> Counted:
    found = {name: _whole(value[name]) for name in WHOLE}
    _check(found["head_bytes"] + found["framing_bytes"] <= found["bytes"])
    return Counted(**found, slowest_s=_real(value["slowest_s"]))


def _number(is_kind: Callable[[Any], bool]) -> Callable[[Any], Any]:
    """A check for a number of this kind, not negative and not too great."""

    def checked(value: Any) -> Any:
        _check(is_kind(value) and not isinstance(value, bool) and 0 <= value < GREATEST)
        return value

    return checked


_whole = _number(lambda value: isinstance(value, int))
_real = _number(lambda value: isinstance(value, int | float))
