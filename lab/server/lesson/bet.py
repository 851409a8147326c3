"""A bet: a question to the class. Users guess, the lab counts, and the figure stands among the guesses."""

import time
from itertools import count
from statistics import median
from typing import NamedTuple

from lab.catalogue import MODES
from lab.errors import BadParameter
from lab.json_types import JsonObject
from lab.meters import Meters
from lab.server.lesson.counted import Counted
from lab.server.lesson.questions import MOST_BYTES, TECHNIQUE, Guess, Question

CLOSED, OPEN, COUNTING, MEASURED = "closed", "open", "counting", "measured"
MOST_VOTERS = 1000
LONGEST_ID = 64
NOTHING = Counted()
SERIAL = count(int(time.time()))
"""Numbers for questions, so that a guess that arrives late answers no other one, also after a restart."""


class Answer(NamedTuple):
    """What one user has guessed."""

    name: str
    guess: Guess


class Bet:
    """One question and its answers; one for each page, which may be changed while the bet is open."""

    def __init__(self, meters: Meters, question: Question = MOST_BYTES) -> None:
        self.meters = meters
        self.question = question
        self.state = CLOSED
        self.number = 0
        self.answers: dict[str, Answer] = {}
        """The answers by the id of the voter."""
        self.counted: dict[str, Counted] = {}
        """What was counted, once that has ended."""
        self.revision = 0
        """Changes with each change of the state and of the answers."""
        self.why: list[JsonObject] = []
        """Sentences about what was counted: the key of a text and its values."""
        self.began = self.seconds = 0.0
        """When counting began (monotonic), and how long it took."""
        self._before: dict[str, Counted] = {}

    def do(self, action: str) -> None:
        """`open` the voting, `count` from now on, or `close` the bet. Raises `BadParameter`."""
        if action == "open":
            self.state, self.number, self.answers = OPEN, next(SERIAL), {}
        elif action == "count" and self.state == OPEN:
            self._count()
        elif action == "close":
            self.state = CLOSED
        else:
            raise BadParameter("A vote must be opened, then counted, then closed.")
        self.revision += 1

    def _count(self) -> None:
        self.state, self.began = COUNTING, time.monotonic()
        self._before = {mode: Counted.of(meters) for mode, meters in self.meters.techniques.items()}

    def finish(self) -> None:
        """Keep what was counted up to now."""
        self.counted = self.so_far()
        self.state, self.seconds = MEASURED, time.monotonic() - self.began
        self.revision += 1

    def vote(self, client: object, guess: object, name: str = "") -> None:
        """Record the guess of a user, while the bet is open."""
        if self.state != OPEN or not isinstance(client, str) or not self.question.accepts(guess):
            return
        client = client[:LONGEST_ID]
        if client in self.answers or len(self.answers) < MOST_VOTERS:
            self.answers[client] = Answer(name, guess)  # type: ignore[arg-type]  # `accepts` has checked it
            self.revision += 1

    def meters_reset(self) -> None:
        """The meters were reset: restart the count too."""
        self.began = time.monotonic()
        self._before = dict.fromkeys(self._before, NOTHING)

    def so_far(self) -> dict[str, Counted]:
        """What was counted for each technique, up to now or to the end."""
        if self.state == MEASURED:
            return self.counted
        now = {mode: Counted.of(meters) for mode, meters in self.meters.techniques.items()}
        return {mode: counted.since(self._before.get(mode, NOTHING)) for mode, counted in now.items()}

    def values(self) -> dict[str, float | None]:
        """The figure of each technique; None where it was not measured."""
        return {mode: self.question.measure.of(counted) for mode, counted in self.so_far().items()}

    def truth(self) -> Guess | None:
        """The right answer: the number, or the technique with the greatest figure; None while unknown."""
        question = self.question
        if question.answer is not None or question.figure is None:
            return question.answer
        values = self.values()
        if question.mode:
            return values[question.mode] if self.state == MEASURED or not question.seconds else None
        known = {mode: value for mode, value in values.items() if value is not None}
        return max(known, key=known.__getitem__) if known else None

    def as_json(self) -> JsonObject:
        """The state; what was guessed is included only after the voting."""
        fields: JsonObject = {"state": self.state, "voters": len(self.answers)}
        if self.state not in (COUNTING, MEASURED):
            return fields
        guesses = [answer.guess for answer in self.answers.values()]
        if self.question.kind == TECHNIQUE:
            votes = {mode: guesses.count(mode) for mode in MODES}
            return fields | {"votes": votes, "truth": self.values() if self.question.figure else None}
        return fields | {"truth": self.truth()} | self._spread([float(guess) for guess in guesses])

    def _spread(self, guesses: list[float]) -> JsonObject:
        truth, question = self.truth(), self.question
        right = [
            guess for guess in guesses if isinstance(truth, float | int) and question.is_right(guess, truth)
        ]
        return {
            "columns": question.histogram(guesses),
            "median": median(guesses) if guesses else None,
            "right": len(right),
        }

    def for_pages(self) -> JsonObject:
        """The state, with the question itself and the sentences."""
        if self.state == CLOSED:
            return self.as_json()
        fields = self.as_json() | {"number": self.number, "question": self.question.as_json()}
        return fields | {"left_s": self.left_s(), "why": self.why if self.state == MEASURED else []}

    def left_s(self) -> int | None:
        """Whole seconds until counting ends; None while no end is known."""
        if self.state != COUNTING or not self.question.seconds:
            return None
        return max(0, round(self.began + self.question.seconds - time.monotonic()))
