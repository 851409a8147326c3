"""The guided lesson: one button leads from question to question. It knows no clients and no clock."""

from typing import NamedTuple

from lab.errors import BadParameter
from lab.json_types import JsonObject
from lab.meters import Meters
from lab.server.lesson.bet import CLOSED, COUNTING, MEASURED, OPEN, Answer, Bet
from lab.server.lesson.questions import Question
from lab.server.lesson.step_file import STANDARD, OwnLesson
from lab.server.lesson.steps import Step
from lab.server.lesson.why import Seen, sentences

ACTIONS = ("next", "back", "skip", "again", "end")


class Stop(NamedTuple):
    """A place in the lesson: a step, and one of its questions, if it has any."""

    step: Step
    question: Question | None


class Asked(NamedTuple):
    """A question as it was when a lab ended."""

    state: str
    number: int
    answers: dict[str, Answer]
    seen: Seen | None
    """What was counted; None before that."""


class Guided:
    """The place in the lesson, and the answers at each of its stops."""

    def __init__(self, meters: Meters, lesson: OwnLesson = STANDARD) -> None:
        self.meters = meters
        self.steps = lesson.steps
        self.texts = lesson.texts
        """Texts that are in no catalogue, by language and key."""
        self.stops = [Stop(step, question) for step in self.steps for question in step.questions or (None,)]
        self.place: int | None = None
        """Which of the stops; None before the lesson and after it."""
        self.bets: dict[int, Bet] = {}
        """The bet of each stop with a question."""
        self.seen: dict[int, Seen] = {}
        """What was counted at each stop, and under which conditions."""

    @property
    def step(self) -> Step | None:
        """The present step."""
        return None if self.place is None else self.stops[self.place].step

    @property
    def bet(self) -> Bet | None:
        """The present question, with its answers."""
        return None if self.place is None else self.bets.get(self.place)

    def do(self, action: str) -> None:
        """Move. Raises `BadParameter` where the action is not possible.

        `next` ends the voting, or goes on; `skip` goes on at once; `back` returns to what was shown; `again`
        asks the present question again; `end` ends the lesson, and the answers are kept until the next one.
        """
        if action == "next":
            self._next()
        elif action == "skip" and self.place is not None:
            self._go(self.place + 1)
        elif action == "back" and self.place != 0:
            self._go((len(self.stops) if self.place is None else self.place) - 1)
        elif action == "again" and self.bet:
            self.bet.do("open")
        elif action == "end":
            self._go(len(self.stops))
        else:
            raise BadParameter(f"{action} is not possible here.")

    def _next(self) -> None:
        bet = self.bet
        if self.place is None:
            self._begin()
        elif bet and bet.state == OPEN:
            bet.do("count")
            if not bet.question.seconds:
                self.finish(Seen({}, 0.0))
        elif bet and bet.state == COUNTING:
            raise BadParameter(
                f"The measurement takes {bet.left_s()} more seconds; skip continues without it."
            )
        else:
            self._go(self.place + 1)

    def _begin(self) -> None:
        self._forget_answers()
        self._go(0)

    def _forget_answers(self) -> None:
        pairs = enumerate(stop.question for stop in self.stops)
        self.bets = {place: Bet(self.meters, question) for place, question in pairs if question}
        self.seen = {}

    def restore(self, place: int | None, asked: dict[int, Asked]) -> None:
        """Go on at a place with the answers of an earlier lab; what was being counted is open again."""
        self._forget_answers()
        for at, one in sorted(asked.items()):
            bet = self.bets[at]
            bet.state, bet.number, bet.answers = one.state, one.number, one.answers
            if one.seen:
                self.seen[at], bet.counted, bet.seconds = one.seen, one.seen.counted, one.seen.seconds
            if bet.state == MEASURED:
                bet.why = self._sentences(at)
        self._go(len(self.stops) if place is None else place)

    def _go(self, place: int) -> None:
        if self.bet and self.bet.state == COUNTING:
            self.bet.state = OPEN  # it was not counted to its end
        self.place = place if place < len(self.stops) else None
        if self.bet and self.bet.state == CLOSED:
            self.bet.do("open")

    def finish(self, seen: Seen) -> None:
        """Keep what was counted for the present question, and make the sentences about it."""
        bet, place = self.bet, self.place
        if bet is None or place is None or bet.state != COUNTING:
            return
        bet.finish()
        self.seen[place] = seen._replace(counted=bet.counted, seconds=bet.seconds)
        bet.why = self._sentences(place)

    def _sentences(self, place: int) -> list[JsonObject]:
        earlier = [self.seen[before] for before in sorted(self.seen) if before < place]
        return sentences(self.bets[place].question, self.seen[place], self._comparable(earlier))

    def _comparable(self, earlier: list[Seen]) -> Seen | None:
        """The newest earlier count in which messages were delivered by more than one technique."""
        several = [seen for seen in earlier if sum(c.messages > 0 for c in seen.counted.values()) > 1]
        return several[-1] if several else None

    def results(self) -> list[tuple[Step, Question, Bet]]:
        """Every question that was asked, with its answers, in the order of the lesson."""
        asked = [(self.stops[place].step, bet) for place, bet in sorted(self.bets.items()) if bet.number]
        return [(step, bet.question, bet) for step, bet in asked]

    def _right(self) -> list[JsonObject]:
        """For the questions whose answer was known: how many were right."""
        known = [(bet.question.name, bet.as_json()) for _, question, bet in self.results() if question.answer]
        shown = [(name, fields) for name, fields in known if "right" in fields]
        return [{"name": name, "right": one["right"], "voters": one["voters"]} for name, one in shown]

    def as_json(self) -> JsonObject:
        """The place for the pages; after the lesson, the results of the exit ticket."""
        step, of = self.step, len(self.steps)
        if step is None:
            return {"number": None, "of": of, "over": bool(self.bets), "right": self._right()}
        here, then = self.steps.index(step), self.stops[self.place + 1 :] if self.place is not None else []
        fields: JsonObject = {"number": here + 1, "of": of, "step": step.name, "link": step.link}
        names = [question.name for question in step.questions]
        place: JsonObject = {"questions": len(names)}
        if self.bet:
            place["question"] = names.index(self.bet.question.name) + 1
            place["done"] = self.bet.state == MEASURED
        return fields | place | {"then": then[0].step.name if then else None}
