"""Plain calls for notebooks and for the command line: measure one technique, or compare several."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar, Unpack

from lab.catalogue import MODES
from lab.errors import BadParameter
from lab.experiment.conditions import Conditions, known
from lab.experiment.engine import check_engine
from lab.experiment.exchange import exchange
from lab.experiment.measure import Target
from lab.experiment.measure import measure as measure_once
from lab.experiment.notebook_bar import Bar
from lab.experiment.parameters import ConditionValues, with_conditions
from lab.experiment.prediction import Prediction, predict_run
from lab.experiment.publisher import Progress
from lab.experiment.quantities import one_of, quoted
from lab.experiment.thread import InThread
from lab.experiment.variants import check_variants, marked, variants
from lab.experiment.way import check_way
from lab.results.runs import Run

T = TypeVar("T")


@with_conditions("rounds")
def measure(
    mode: str,
    url: str | None = None,
    certfile: str | None = None,
    engine: str | None = None,
    **conditions: Unpack[ConditionValues],
) -> Run:
    """Measure one technique once, with simulated clients, and return the run.

    With `url` a lab that is already running is measured; by https with its `certfile`, unless the system
    trusts it. With `engine` the listeners are on the Dask cluster whose scheduler has this address, such as
    tcp://10.0.0.5:8786. Works inside Jupyter's running loop too. Latencies are in seconds, sizes in bytes.

    Raises `BadParameter` for conditions that make no sense, `CannotStart` when there is no lab to measure.
    """
    known({**conditions})
    conditions["rounds"] = 1
    return _compare([_mode(mode)], Where(url, certfile, engine), conditions, alone=True)[0]


@with_conditions()
def compare(
    modes: Iterable[str] = MODES,
    url: str | None = None,
    certfile: str | None = None,
    engine: str | None = None,
    **conditions: Unpack[ConditionValues],
) -> list[Run]:
    """Measure several techniques under the same conditions, round by round, and return all runs.

    `modes` is a collection of their names, one name, or "all"; a set is measured in the catalogue's order.
    With `compress="kept"` or `subprotocol="binary"` the WebSocket is also measured without them.
    In a notebook a bar shows how far it is. Raises as `measure` does.
    """
    return _compare(modes, Where(url, certfile, engine), conditions)


class Where(NamedTuple):
    """Which lab a call measures, and on which cluster the listeners are."""

    url: str | None
    certfile: str | None
    engine: str | None

    def target(self) -> Target:
        """The same, checked. Raises `BadParameter` for what is no text."""
        for name, example in (("url", "http://127.0.0.1:8000"), ("engine", "tcp://127.0.0.1:8786")):
            value = getattr(self, name)
            if not (value is None or isinstance(value, str)):
                raise BadParameter(f"{name} must be text such as {example}, not {quoted(value)}.")
        return Target(self.url and self.url.rstrip("/"), certfile=self.certfile, engine=self.engine)


def _compare(
    modes: Iterable[str], place: Where, conditions: ConditionValues, alone: bool = False
) -> list[Run]:
    wanted, under, bar = modes_of(modes), known({**conditions}), Bar()
    target = place.target()
    try:
        return run_rounds(wanted, under, target, bar.moved, bar.show, alone=alone)
    finally:
        bar.clear()


@with_conditions("rounds")
def predict(mode: str, **conditions: Unpack[ConditionValues]) -> Prediction:
    """Predict a run before it is measured: requests, bytes, latency.

    Closed forms (`lab.experiment.prediction`), with bytes from one exchange that is measured now, once
    for each kind of exchange. Latencies are in seconds, sizes in bytes.

    Raises `BadParameter` for conditions that make no sense, `CannotStart` when no lab can be started.
    """
    wanted, mode = known({**conditions}), _mode(mode)
    check_variants([mode], wanted, None)
    return predict_run(mode, wanted, InThread(lambda stop: exchange(mode, wanted)).result())


def modes_of(modes: object) -> list[str]:
    """The techniques for a mode, for "all", or for a collection of modes.

    Raises `BadParameter` for any other value, and for an empty collection.
    """
    if isinstance(modes, str):
        return list(MODES) if modes == "all" else [_mode(modes)]
    if not isinstance(modes, Iterable) or isinstance(modes, (bytes, bytearray)):
        raise BadParameter(f"modes must be a list of names such as {list(MODES[:2])}, not {quoted(modes)}.")
    found = [_mode(mode) for mode in modes]
    if not found:
        raise BadParameter(f"There is nothing to measure: name one of {', '.join(MODES)}, or all.")
    return sorted(found, key=MODES.index) if isinstance(modes, (set, frozenset)) else found


def _mode(mode: object) -> str:
    return one_of("The mode", mode, MODES)


def run_rounds(
    modes: Sequence[str],
    conditions: Conditions,
    target: Target,
    progress: Progress = lambda share, text: None,
    tick: Callable[[], None] = lambda: None,
    alone: bool = False,
    wire: bool = False,
) -> list[Run]:
    """Measure the techniques in turn, `rounds` times; each round begins with another one.

    A technique is also measured without compression or in text frames (`variants`), unless `alone`.
    With `wire` the runs of the first round have the bytes of one message.

    `progress` is called with the share that is done, in another thread; `tick` in this one while it waits.

    Ctrl-C ends the run in progress early: it is returned marked partial, and no run follows it.
    """

    check_variants(modes, conditions, target.url)
    check_way(conditions, target.url, target.settings.get("certfile"))
    check_engine(target.engine, conditions)
    each = [(mode, under) for mode in modes for under in variants(mode, conditions)[-1 if alone else 0 :]]

    async def rounds(stop: asyncio.Event) -> list[Run]:
        runs: list[Run] = []
        for number, (mode, under) in enumerate(order(each, conditions.rounds)):
            step = _within(progress, number, len(each) * conditions.rounds, mode)
            of_round = number // len(each) + 1
            run = await measure_once(mode, under, target, of_round, stop, step, wire and of_round == 1)
            runs.append(marked(run, conditions, under))
            if stop.is_set():
                break
        return runs

    return InThread(rounds).result(tick)


def order(modes: Sequence[T], rounds: int) -> list[T]:
    """The order of measurements: each round starts with another technique, so that none is always first."""
    return [mode for start in range(rounds) for mode in rotated(modes, start % len(modes))]


def rotated(modes: Sequence[T], start: int) -> list[T]:
    """The same modes, beginning with another one."""
    return [*modes[start:], *modes[:start]]


def _within(progress: Progress, number: int, of: int, mode: str) -> Progress:
    return lambda share, text: progress((number + share) / of, f"{mode}: {text}")
