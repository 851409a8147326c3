"""The worksheet of the guided lesson, to be printed; the teacher's copy has the answers of this room."""

from collections import Counter
from statistics import median
from typing import NamedTuple

from lab.catalogue import TECHNIQUES
from lab.errors import Forbidden
from lab.json_types import JsonObject
from lab.server.lesson.bet import MEASURED, Bet
from lab.server.lesson.questions import TECHNIQUE, Guess, Question
from lab.server.lesson.why import Seen, sentences
from lab.server.pages.page import Page
from lab.server.pages.written import NONE, number, sentence, written


class Answered(NamedTuple):
    """What the teacher's copy has about one question."""

    answers: int
    guess: str
    truth: str
    why: str


class LessonSheet(Page):
    """The worksheet; with `answers=1` the teacher's copy."""

    def get(self) -> None:
        """Send the sheet. Raises `Forbidden` when a student asks for the teacher's copy."""
        has_answers = self.get_query_argument("answers", "") == "1"
        if has_answers and not self.is_teacher:
            raise Forbidden("The teacher's copy is for the teacher only.")
        found = self._answers() if has_answers else {}
        tools = {"number": number, "written": written}
        steps = self.lesson.guided.steps
        self.show("lesson_sheet.html", steps=steps, found=found, has_answers=has_answers, **tools)

    def _answers(self) -> dict[str, Answered]:
        """What the class has answered and what was measured, by the name of the question."""
        asked = {question.name: bet for _, question, bet in self.lesson.guided.results()}
        all_questions = [question for step in self.lesson.guided.steps for question in step.questions]
        return {one.name: self._answered(one, asked.get(one.name)) for one in all_questions}

    def _answered(self, question: Question, bet: Bet | None) -> Answered:
        truth, why = self._right(question, bet)
        found = " ".join(sentence(one, self.text, self.title) for one in why)
        guesses = [answer.guess for answer in bet.answers.values()] if bet else []
        return Answered(len(guesses), self._usual(question, guesses), self._written(truth, question), found)

    def _right(self, question: Question, bet: Bet | None) -> tuple[Guess | None, list[JsonObject]]:
        """The right answer and why; also of a question that was not asked, if it needs no measurement."""
        if question.answer is not None:
            return question.answer, sentences(question, Seen({}, 0.0))
        return (bet.truth(), bet.why) if bet and bet.state == MEASURED else (None, [])

    def _usual(self, question: Question, guesses: list[Guess]) -> str:
        """The technique that was chosen most often, or the median of the numbers."""
        if not guesses:
            return NONE
        if question.kind == TECHNIQUE:
            return self._written(Counter(guesses).most_common(1)[0][0], question)
        return self._written(median(float(guess) for guess in guesses), question)

    def _written(self, value: Guess | None, question: Question) -> str:
        if isinstance(value, str):
            return self.title(TECHNIQUES[value])
        return written(value, question.measure.unit, self.text)
