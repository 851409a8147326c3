"""`--exercise`: list the exercises, copy a start, print the task, check, give hints, give marks."""

import argparse
import json
import random
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from rich.cells import set_cell_size

from lab.errors import BadParameter, LabError
from lab.exercises import EXERCISES, Exercise
from lab.exercises.mismatch import Said
from lab.exercises.progress import Progress
from lab.exercises.screen import Screen, new_screen
from lab.exercises.steps import Result, check_program
from lab.exercises.texts import ENGLISH, LANGUAGES, Texts, system_language
from lab.exercises.transcript import result_lines
from lab.json_types import JsonObject
from lab.program import COMMAND
from lab.results.writing import write_whole

DONE, NOT_YET = 0, 1
ALL = "all"
HINTS = 3
FOLDER = "my"
LARGEST_SEED = 99_999
DEFAULT_MINUTES = 15
SCHEMA = "pushlab.exercises/1"


def known_exercises(folder: str | None) -> dict[str, Exercise]:
    """The lab's exercises, and those in a teacher's own folder, which may replace them."""
    if folder is None:
        return EXERCISES
    place = Path(folder).resolve()
    starts = sorted((place / "tasks").glob("*.py"))
    found = {path.stem: Exercise(path.stem, DEFAULT_MINUTES, folder=place) for path in starts}
    own = {name: exercise for name, exercise in found.items() if exercise.checks.is_file()}
    if not own:
        raise BadParameter(f"{folder} has no exercise: no tasks/NAME.py with a checks/NAME.py.")
    return EXERCISES | own


class Session:
    """What the options mean: which exercises, where the programs are, in which language."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.exercises = known_exercises(options.exercise_path)
        self.own = options.exercise_path
        self.folder = Path(options.folder or FOLDER)
        self.language = LANGUAGES[options.language] if options.language else system_language()
        self.seed = options.seed
        self.screen: Screen = new_screen(options.no_color)
        self.progress = Progress(self.folder)
        self.lab = (options.url or "").rstrip("/")

    def exercise(self, name: str) -> Exercise:
        """The exercise of this name. Raises `BadParameter`."""
        if name not in self.exercises:
            known = ", ".join(self.exercises)
            raise BadParameter(f"There is no exercise {name!r}; there are {known}, and all.")
        return self.exercises[name]

    def path(self, exercise: Exercise) -> Path:
        """The student's program."""
        return self.folder / f"{exercise.name}.py"

    def texts(self, name: str = "") -> Texts:
        """The texts of an exercise, in the language of the session."""
        return Texts(self.language, name, Path(self.own or "."))

    def check(self, exercise: Exercise) -> Result:
        """Check the student's program and count the try."""
        seed = random.randint(1, LARGEST_SEED) if self.seed is None else int(self.seed)
        result = check_program(exercise, self.path(exercise), seed, lab=urlsplit(self.lab).port or 0)
        self.progress.add_try(exercise.name, result.done)
        return result

    def show(self, result: Result) -> None:
        """Print a result, and below a failure the seed that repeats it."""
        texts = self.texts(result.name)
        self.screen.show(result_lines(result, texts))
        if not result.done:
            self.screen.line(f"  {texts('repeat', seed=result.seed)}", "dim")


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
        from lab.exercises.watch import watch  # it needs the terminal's own modules

        return watch(session, exercise)
    result = session.check(exercise)
    session.show(result)
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


def begin(session: Session, exercise: Exercise) -> None:
    """Copy the start, unless the program is there, and print the task."""
    path, texts, screen = session.path(exercise), session.texts(exercise.name), session.screen
    copied = copy_start(exercise, path)
    minutes = texts("minutes", minutes=exercise.minutes)
    screen.line(f"{exercise.name} · {texts('title')} · {minutes}", "bold")
    screen.line()
    screen.paragraphs(texts("task"))
    screen.line()
    screen.paragraphs(texts("exchange"))
    screen.line()
    screen.line(texts("copied" if copied else "yours", path=path), "bold")
    screen.line()


def copy_start(exercise: Exercise, path: Path) -> bool:
    """Copy the start, never over a file; returns whether it was copied. Raises `LabError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(exercise.start.read_text(encoding="utf-8"))
    except FileExistsError:
        return False
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror or error}.") from error
    return True


def reset(session: Session, exercise: Exercise) -> None:
    """Begin again; the old program stays as NAME.old.py."""
    path = session.path(exercise)
    with suppress(FileNotFoundError):
        shutil.move(path, path.with_suffix(".old.py"))
    copy_start(exercise, path)


def hint(session: Session, exercise: Exercise) -> int:
    """Print the next hint."""
    texts = session.texts(exercise.name)
    session.folder.mkdir(parents=True, exist_ok=True)
    number = session.progress.add_hint(exercise.name, HINTS)
    head = texts("hint_of", number=number, count=HINTS)
    session.screen.line(f"{head} {texts(f'hint.{number}')}", "", 2)
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
        yield exercise, session.check(exercise) if session.path(exercise).is_file() else None


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
