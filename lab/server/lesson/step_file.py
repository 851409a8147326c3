"""A lesson of the teacher's own: steps in a JSON or TOML file, with their texts. Errors name the place.

[[steps]]
use = "silence"                  # a step of the lab's own lesson, as it is

[[steps]]
title = "One a second"           # or {en = "One a second", zh = "…"}
say = "What the teacher explains."
plan = {words = ["sse"], each = 5, rate = 1}
[[steps.questions]]
ask = "How many bytes for each message?"
kind = "number"                  # or "technique"
figure = "bytes"                 # or requests, slowest, useful; or give an answer = 300 and why = "…"
mode = "sse"
seconds = 20
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from lab.catalogue import MODES
from lab.errors import BadParameter
from lab.json_types import JsonObject
from lab.languages import ENGLISH, SHORTS
from lab.server.lesson.assignment import WAYS
from lab.server.lesson.counted import FIGURES
from lab.server.lesson.parameters import number, one_of
from lab.server.lesson.questions import KINDS, NUMBER, Question
from lab.server.lesson.simulated_students import Plan
from lab.server.lesson.steps import LINKS, STEPS, Step

MOST_STEPS, MOST_QUESTIONS, LONGEST_TEXT = 30, 10, 1000
MOST_SECONDS, USUAL_SECONDS = 600, 30
SMALLEST, GREATEST = 1e-6, 1e9
"""Bounds of the numbers that can be asked for."""
STEP_FIELDS = ("use", "title", "say", "plan", "link", "assign", "questions")
QUESTION_FIELDS = ("ask", "kind", "figure", "mode", "seconds", "answer", "why", "least", "most")
PLAN_FIELDS = tuple(field.name for field in fields(Plan))
Texts = dict[str, dict[str, str]]
"""Texts by language and key."""


class OwnLesson(NamedTuple):
    """Steps, and those of their texts that are in no catalogue."""

    steps: tuple[Step, ...]
    texts: Texts


STANDARD = OwnLesson(STEPS, {language: {} for language in SHORTS})


def read(path: str) -> OwnLesson:
    """The lesson in a file. Raises `BadParameter`, with the file and the line or the field that is wrong."""
    with place(Path(path).name):
        wanted = _parsed(Path(path))
        steps = _listed(wanted, "steps", MOST_STEPS)
        if not steps:
            raise BadParameter("steps is empty.")
        texts: Texts = {language: {} for language in SHORTS}
        found = [_step(step, f"step{n}", texts) for n, step in enumerate(steps, 1)]
        if len(set(found)) < len(found):
            raise BadParameter("a step is used twice.")
        return OwnLesson(tuple(found), texts)


@contextmanager
def place(name: str) -> Iterator[None]:
    """Put the place before the text of an error."""
    try:
        yield
    except BadParameter as error:
        raise BadParameter(f"{name}: {error}") from error


def _parsed(path: Path) -> JsonObject:
    import tomllib  # only a lesson of the teacher's own needs it

    parse: Callable[[str], Any] = tomllib.loads if path.suffix == ".toml" else json.loads
    try:
        found = parse(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadParameter(f"line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except (OSError, ValueError, RecursionError) as error:  # TOML's errors name the line
        raise BadParameter(f"{error}.") from error
    if not isinstance(found, dict):
        raise BadParameter("a lesson must be an object with a list of steps.")
    return found


def _listed(wanted: JsonObject, name: str, most: int) -> list[JsonObject]:
    found = wanted.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found) or len(found) > most:
        raise BadParameter(f"{name} must be a list of at most {most} objects.")
    return found


def _known(wanted: JsonObject, allowed: tuple[str, ...]) -> None:
    if unknown := [name for name in wanted if name not in allowed]:
        raise BadParameter(f"{unknown[0]!a:.40} is unknown; there are {', '.join(allowed)}.")


def _step(wanted: JsonObject, name: str, texts: Texts) -> Step:
    with place(f"step {name.removeprefix('step')}"):
        _known(wanted, STEP_FIELDS)
        if "use" in wanted:
            standard = {step.name: step for step in STEPS}
            return standard[one_of(wanted, "use", standard)]
        for field in ("title", "say"):
            _keep(texts, f"lesson.{field}.{name}", wanted, field)
        asked = enumerate(_listed(wanted, "questions", MOST_QUESTIONS), 1)
        questions = tuple(_question(one, f"{name}_{n}", texts) for n, one in asked)
        link, assign = (_choice(wanted, field, known) for field, known in (("link", LINKS), ("assign", WAYS)))
        return Step(name, _plan(wanted), questions, link, assign)


def _plan(wanted: JsonObject) -> Plan | None:
    if "plan" not in wanted:
        return None
    with place("plan"):
        if not isinstance(wanted["plan"], dict):
            raise BadParameter("it must be an object.")
        _known(wanted["plan"], PLAN_FIELDS)
        return Plan.read(wanted["plan"])


def _choice(wanted: JsonObject, name: str, known: tuple[str, ...]) -> str:
    return one_of(wanted, name, known) if name in wanted else ""


def _question(wanted: JsonObject, name: str, texts: Texts) -> Question:
    with place(f"question {name.rpartition('_')[2]}"):
        _known(wanted, QUESTION_FIELDS)
        _keep(texts, f"lesson.ask.{name}", wanted, "ask")
        _keep(texts, f"lesson.why.{name}", {"why": ""} | wanted, "why")
        kind = one_of(wanted, "kind", KINDS)
        if kind == NUMBER and ("figure" in wanted) == ("answer" in wanted):
            raise BadParameter("a question of the kind number needs a figure or an answer, not both.")
        return _bounded(Question(name, kind, *_measurement(wanted, kind), **_numbers(wanted)))


def _measurement(wanted: JsonObject, kind: str) -> tuple[str | None, str | None, float | None]:
    """The figure, the technique and the seconds of a question."""
    if "figure" not in wanted:
        return None, None, None
    figure = one_of(wanted, "figure", FIGURES)
    mode = one_of(wanted, "mode", MODES) if kind == NUMBER else None
    return figure, mode, number(wanted, "seconds", USUAL_SECONDS, 1, MOST_SECONDS)


def _numbers(wanted: JsonObject) -> JsonObject:
    names = [name for name in ("answer", "least", "most") if name in wanted]
    return {name: number(wanted, name, 0, SMALLEST, GREATEST) for name in names}


def _bounded(question: Question) -> Question:
    least, most = question.bounds
    if not least < most or not least <= (question.answer or least) <= most:
        raise BadParameter(
            f"least < most is needed, and the answer between them; it is {least:g} to {most:g}."
        )
    return question


def _keep(texts: Texts, key: str, wanted: JsonObject, name: str) -> None:
    """Keep a text under its key: one for all languages, or several; English is needed."""
    given = wanted.get(name)
    each = given if isinstance(given, dict) else {ENGLISH: given}
    for language in SHORTS:
        text = each.get(language, each.get(ENGLISH))
        if not isinstance(text, str) or len(text) > LONGEST_TEXT or (name != "why" and not text.strip()):
            known = ", ".join(SHORTS)
            raise BadParameter(
                f"{name} must be a text, or {{{known}}}, of at most {LONGEST_TEXT} characters."
            )
        texts[language][key] = text
