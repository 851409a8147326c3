"""The steps of a check, one after the other up to the first that fails.

A step is a function that is given the `Trial`: it sends something, reads the response and raises `Mismatch`
when that is not what it must be. Its name is the key of its title.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lab.anatomy import Part
from lab.exercises import Exercise
from lab.exercises.lab_process import LabProcess
from lab.exercises.limits import Limits
from lab.exercises.loading import load
from lab.exercises.mismatch import Mismatch, Said
from lab.exercises.peer import Peer
from lab.exercises.redis_server import RedisServer
from lab.exercises.student import Student

LARGEST_SEED = 99_999


class Program(Protocol):
    """What is checked: a student's program, or functions of a notebook that are served like one."""

    port: int

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""

    def connect(self, patience_s: float) -> Any:
        """A connection to it."""

    def trouble(self) -> Said | None:
        """What it did wrong itself."""

    def own_lines(self) -> list[str]:
        """Its error, if it printed one."""

    def errors(self) -> str:
        """All that it wrote on standard error."""

    def end(self) -> None:
        """End it."""


class Trial:
    """One check: the programs that it started, its connections, and values drawn from the seed."""

    def __init__(
        self, make: Callable[[Limits, dict[str, str]], Program], seed: int, limits: Limits, lab: int = 0
    ) -> None:
        self.limits, self.lab = limits, lab
        self.seed = seed
        self.random = random.Random(seed)
        self.programs: list[Program] = []
        self.peers: list[Peer] = []
        self.saved: dict[str, Any] = {}
        """What a step leaves for the next ones."""
        self._make = make
        self._at_end: list[Callable[[], None]] = []
        self._redis: RedisServer | None = None
        self._until = 0.0

    def start(self, **settings: str) -> Program:
        """Start the program, with these variables in its environment."""
        self.programs.append(self._make(self.limits, settings))
        return self.programs[-1]

    @property
    def program(self) -> Program:
        """The program that was started last; the first time it is started."""
        return self.programs[-1] if self.programs else self.start()

    def stop(self) -> None:
        """End all programs that were started so far; the next use starts it again."""
        while self.programs:
            self.programs.pop().end()

    def on_end(self, action: Callable[[], None]) -> None:
        """Do this when the check is over."""
        self._at_end.append(action)

    def lab_port(self, own: bool = False) -> int:
        """The port of a real lab: the given one, else (or with `own`) one that is started for this check."""
        if self.lab and not own:
            return self.lab
        lab = LabProcess()
        self.on_end(lab.end)
        self.lab = lab.port
        self.begin_step()  # the time to start it is not the step's
        return self.lab

    def redis(self) -> RedisServer:
        """The Redis of this check. Raises `CannotStart` when there is none."""
        if not self._redis:
            self._redis = RedisServer()
            self.on_end(self._redis.end)
        return self._redis

    def own_prefix(self) -> str:
        """A prefix of keys for this check; the history below it is deleted when the check is over."""
        prefix, redis = f"exercise:{self.random.getrandbits(64):x}:", self.redis()
        self.on_end(lambda: redis.delete(f"{prefix}history"))
        return prefix

    def within(self, seconds: float) -> None:
        """The rest of the step has only so many seconds."""
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that the step still has."""
        return max(0.0, self._until - time.monotonic())

    def begin_step(self) -> None:
        """Give the next step its time."""
        self._until = time.monotonic() + self.limits.step_s

    def connect(self, program: Program | None = None) -> Peer:
        """A connection to the program. Raises `Mismatch` when it does not listen."""
        connection = (program or self.program).connect(self.limits.step_s)
        self.peers.append(Peer(connection, self.left))
        self.begin_step()  # the time to start is not the step's
        return self.peers[-1]

    def open(self, path: str) -> Peer:
        """A WebSocket to the program."""
        peer = self.connect()
        peer.handshake(path)
        return peer

    def close_peers(self) -> None:
        """Close all connections of this check."""
        for peer in self.peers:
            peer.close()

    def text(self, size: int) -> str:
        """Text of so many letters, which cannot be known beforehand."""
        return "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz", k=size))

    def trouble(self) -> Said | None:
        """What one of the programs did wrong itself."""
        return next((said for program in self.programs if (said := program.trouble())), None)

    def own_lines(self) -> list[str]:
        """The lines of the first error that a program printed."""
        return next((lines for program in self.programs if (lines := program.own_lines())), [])

    def end(self) -> None:
        """Close all connections and end all programs."""
        self.close_peers()
        for program in self.programs:
            program.end()
        for action in reversed(self._at_end):
            action()


def no_error(trial: Trial) -> None:
    """The program has written nothing on standard error. Raises `Mismatch` with the last line."""
    if text := trial.program.errors():
        raise Mismatch("stderr", received=text.rstrip().rpartition("\n")[2])


Step = Callable[[Trial], None]


class Failure(NamedTuple):
    """Why a step failed: its mismatch, what the program did wrong, its own lines, and all bytes."""

    mismatch: Mismatch
    trouble: Said | None
    lines: list[str]
    parts: list[Part]


class Result(NamedTuple):
    """How far a program came: the names of all steps, how many it passed, and the first failure."""

    name: str
    seed: int
    steps: tuple[str, ...]
    passed: int
    failure: Failure | None

    @property
    def done(self) -> bool:
        """Whether all steps passed."""
        return self.failure is None


def load_steps(exercise: Exercise) -> Sequence[Step]:
    """The steps in the file of a check, which may also be in a teacher's own folder."""
    return tuple(load(exercise.checks).STEPS)


def run(exercise: Exercise, trial: Trial) -> Result:
    """Do the steps up to the first that fails; afterwards nothing is left running."""
    steps = load_steps(exercise)
    names = tuple(step.__name__ for step in steps)
    passed, failure = 0, None
    try:
        while passed < len(steps) and not (failure := attempt(steps[passed], trial)):
            passed += 1
    finally:
        trial.end()
    return Result(exercise.name, trial.seed, names, passed, failure)


def attempt(step: Step, trial: Trial) -> Failure | None:
    """Do one step. A program that prints too much has failed it, whatever else it did."""
    trial.begin_step()
    try:
        step(trial)
    except Mismatch as mismatch:
        parts = trial.peers[-1].parts if trial.peers else []
        return Failure(mismatch, trial.trouble(), trial.own_lines(), parts)
    trouble = trial.trouble()
    if trouble and trouble.key == "flood":
        return Failure(Mismatch("flood", size=trouble.values["size"]), None, [], [])
    return None


def drawn_seed(seed: int | None) -> int:
    """This seed, or a random one."""
    return random.randint(1, LARGEST_SEED) if seed is None else seed


def check_program(
    exercise: Exercise, path: Path, seed: int, limits: Limits | None = None, lab: int = 0
) -> Result:
    """Check the program in this file. `lab` is the port of a running lab, for those that need one."""

    def make(limits: Limits, settings: dict[str, str]) -> Program:
        return Student(path, limits, settings)

    with suppress(OSError):
        path = path.resolve()
    return run(exercise, Trial(make, seed, limits or Limits(), lab))
