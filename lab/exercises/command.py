"""`--exercise`: list the exercises, check one program, or give marks for all in a folder."""

import argparse
import json
import sys
from collections.abc import Iterable

from rich.cells import set_cell_size

from lab.exercises import Exercise
from lab.exercises.mismatch import Said
from lab.exercises.report import LAST_WAIT_S
from lab.exercises.session import DONE, NOT_YET, Session, begin, hint
from lab.exercises.steps import Result
from lab.exercises.texts import Texts
from lab.exercises.watch import watch
from lab.json_types import JsonObject
from lab.languages import ENGLISH
from lab.program import COMMAND
from lab.results.writing import write_whole

ALL = "all"
SCHEMA = "pushlab.exercises/1"


def run(options: argparse.Namespace) -> int:
    """Do what the options ask for; returns the exit code. Raises `LabError`."""
    session = Session(options)
    if not options.exercise:
        return show_list(session)
    if options.json:
        return marks(session, options.exercise, options.json)
    if options.exercise == ALL:
        return check_all(session)
    exercise = session.exercise(options.exercise)
    if options.hint:
        return hint(session, exercise)
    begin(session, exercise)
    if options.watch:
        return watch(session, exercise)
    result = session.check(exercise)
    session.show(result)
    session.show_report(session.texts(), LAST_WAIT_S)
    return DONE if result.done else NOT_YET


def show_list(session: Session) -> int:
    """Print each exercise: whether it is done, its name, its minutes, its title."""
    texts = session.texts()
    for exercise in session.exercises.values():
        mark = "✓" if session.progress.of(exercise.name)["passed"] else "·"
        title = session.texts(exercise.name)("title")
        minutes = texts("minutes", minutes=exercise.minutes)
        head = f"{mark} {set_cell_size(exercise.name, 11)}{set_cell_size(minutes, 9)}"
        session.screen.line(f"  {head}{title}", "", 24)
    session.screen.line()
    session.screen.line(texts("list_end", command=f"{COMMAND} --exercise {next(iter(session.exercises))}"))
    return DONE


def check_all(session: Session) -> int:
    """Check every program in the folder and print one line for each."""
    texts, done = session.texts(), True
    for exercise, result in results(session, session.exercises.values()):
        done = done and bool(result and result.done)
        session.screen.line(f"  {_row(session, exercise, result)}", "", 16)
    session.screen.line()
    session.screen.line(texts("all_passed" if done else "not_all"))
    return DONE if done else NOT_YET


def _row(session: Session, exercise: Exercise, result: Result | None) -> str:
    texts = session.texts(exercise.name)
    name = set_cell_size(exercise.name, 11)
    if not result:
        return f"· {name} {texts('no_program', path=session.path(exercise))}"
    place = f"{result.passed}/{len(result.steps)}"
    if result.done:
        return f"✓ {name} {place}"
    return f"✗ {name} {place}  {texts('step.' + result.steps[result.passed])}"


def results(session: Session, exercises: Iterable[Exercise]) -> Iterable[tuple[Exercise, Result | None]]:
    """Each exercise and its result; None where there is no program."""
    for exercise in exercises:
        yield exercise, session.check(exercise, count=False) if session.path(exercise).is_file() else None


def marks(session: Session, name: str, target: str) -> int:
    """Write the results as JSON to a file or to standard output, which then holds nothing else."""
    chosen = session.exercises.values() if name == ALL else [session.exercise(name)]
    found = [mark(session, exercise, result) for exercise, result in results(session, chosen)]
    document = {"schema": SCHEMA, "folder": str(session.folder), "exercises": found}
    text = json.dumps(document, ensure_ascii=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        write_whole(target, text.encode())
    return DONE if all(one["done"] for one in found) else NOT_YET


def mark(session: Session, exercise: Exercise, result: Result | None) -> JsonObject:
    """One line of marks: how many steps of how many, and the first that failed."""
    row: JsonObject = {"exercise": exercise.name, "program": result is not None, "done": False}
    if not result:
        return row | {"passed": 0, "steps": None, "step": None, "sentence": None, "seed": None}
    step = None if result.done else result.steps[result.passed]
    row |= {"done": result.done, "passed": result.passed, "steps": len(result.steps), "step": step}
    said = result.failure and sentence(exercise, result.failure.mismatch.said)
    return row | {"sentence": said, "seed": result.seed}


def sentence(exercise: Exercise, said: Said) -> str:
    """What is wrong, in English, which programs and teachers everywhere read."""
    return Texts(ENGLISH, exercise.name, exercise.folder).sentence(said)
