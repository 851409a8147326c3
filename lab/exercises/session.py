"""What the options of `--exercise` mean, and what a terminal shows of one exercise."""

import argparse
import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from lab.errors import BadParameter, LabError
from lab.exercises import EXERCISES, Exercise
from lab.exercises.progress import Progress
from lab.exercises.report import WAIT_S, Reporter
from lab.exercises.screen import Screen, new_screen
from lab.exercises.steps import Result, check_program, drawn_seed
from lab.exercises.texts import Texts
from lab.exercises.transcript import result_lines
from lab.languages import spoken, system_language

DONE, NOT_YET = 0, 1
HINTS = 3
FOLDER = "my"
DEFAULT_MINUTES = 15


def known_exercises(folder: str | None) -> dict[str, Exercise]:
    """The lab's exercises, and those in a teacher's own folder, which may replace them."""
    if folder is None:
        return EXERCISES
    place = Path(folder).resolve()
    starts = sorted((place / "tasks").glob("*.py"))
    found = {path.stem: Exercise(path.stem, DEFAULT_MINUTES, folder=place) for path in starts}
    own = {name: exercise for name, exercise in found.items() if exercise.checks.is_file()}
    if not own:
        raise BadParameter(f"{folder} has no exercise: it needs tasks/NAME.py and checks/NAME.py.")
    return EXERCISES | own


class Session:
    """What the options mean: which exercises, where the programs are, in which language."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.exercises = known_exercises(options.exercise_path)
        self.own = options.exercise_path
        self.folder = Path(options.folder or FOLDER)
        self.language = spoken(options.language or "") or system_language()
        self.seed = options.seed
        self.screen: Screen = new_screen(options.no_color)
        self.progress = Progress(self.folder)
        self.lab = (options.url or "").rstrip("/")
        self.reporter = (
            Reporter(options.report_to, options.name, options.certfile) if options.report_to else None
        )

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

    def check(self, exercise: Exercise, count: bool = True) -> Result:
        """Check the student's program; a try is counted unless it is for marks."""
        result = check_program(
            exercise, self.path(exercise), drawn_seed(self.seed), lab=urlsplit(self.lab).port or 0
        )
        if count:
            self.progress.add_try(exercise.name, result.done)
            if self.reporter:
                self.reporter.send(result, self.progress.of(exercise.name))
        return result

    def show(self, result: Result) -> None:
        """Print a result, and below a failure the seed that repeats it."""
        texts = self.texts(result.name)
        self.screen.show(result_lines(result, texts))
        if not result.done:
            self.screen.line(f"  {texts('repeat', seed=result.seed)}", "dim")
        self.show_report(texts, WAIT_S)

    def show_report(self, texts: Texts, patience_s: float) -> None:
        """Print what became of the reports, one line for each kind."""
        for said in self.reporter.news(patience_s) if self.reporter else ():
            self.screen.line(f"  {texts(said.key, **said.values)}", "dim", 2)


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
    except OSError as error:
        raise LabError(f"The folder {path.parent} cannot be created: {error.strerror or error}.") from error
    try:
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
