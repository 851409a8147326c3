"""Play every known fault, and check that nothing is lost, doubled, out of order or unreported.

    python -m tests.faults                        everything, one line per fault (about half an hour)
    python -m tests.faults --only F1,F5 --short   some, with few people and short pauses
    python -m tests.faults --times 20 --seed 7    each so often; the seed decides all that is random
    python -m tests.faults --load L1,L6           loads instead: a class, a hall, thousands, a burst
    python -m tests.faults --soak 60m             300 people who stay, 50 a second who come and go

The exit code is 0 when no fault did any harm, 1 when one did, 130 after Ctrl-C (the table so far is shown).
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from random import randrange

from lab.experiment.arguments import seconds
from tests.benchmarks.machine import description, raise_limits
from tests.faults.faults import FAULTS
from tests.faults.loads import LOADS, scale
from tests.faults.network_faults import own_network
from tests.faults.scene import FULL, SHORT, Fault, Outcome, play
from tests.faults.soak import soak, table

LIGHT = {"steady": 49, "joins": 2, "rate": 2}
"""A soak that leaves the machine to others."""
HEAD = (
    "| fault | what | result | healed | received | refused | in doubt | announced | notes |\n|" + "---|" * 9
)


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="such as F1,F5 (F5 means F5a and F5b)")
    parser.add_argument("--load", default="", help="such as L1,L3, or all: loads instead of faults")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="few clients, short pauses")
    parser.add_argument("--soak", type=seconds, metavar="TIME", help="many clients for as long as 60s or 60m")
    parser.add_argument("--light", action="store_true", help="a soak by a sixth of the people, 2 a second")
    parser.add_argument("--observed", metavar="FILE", default="", help="write down what a soaked lab holds")
    parser.add_argument("--json", metavar="FILE", help="write the outcomes down too")
    return parser.parse_args()


def chosen(only: str, there: list[Fault]) -> list[Fault]:
    """Those of a list that were asked for."""
    wanted = [mode.strip() for mode in only.split(",") if mode.strip() not in ("", "all")]
    unknown = [mode for mode in wanted if not any(is_meant(mode, fault) for fault in there)]
    if unknown:
        sys.exit(f"There is no {', '.join(unknown)}; there are {', '.join(fault.id for fault in there)}.")
    return [fault for fault in there if not wanted or any(is_meant(mode, fault) for mode in wanted)]


def is_meant(mode: str, fault: Fault) -> bool:
    """Whether this word means this fault."""
    return mode in (fault.id, fault.id.rstrip("abcdef"))


def outcomes(wanted: argparse.Namespace, seed: int) -> Iterator[Outcome]:
    """Play every fault; what cannot be played here is named."""
    plays = chosen(wanted.load, LOADS) if wanted.load else chosen(wanted.only, FAULTS)
    for turn in range(wanted.times):
        for fault in plays:
            if fault.lacking:
                say(f"{fault.id} {fault.title}: skipped, {fault.lacking}")
                continue
            say(f"{fault.id} {fault.title} …")
            size = scale(fault, wanted.short) if wanted.load else SHORT if wanted.short else FULL
            yield asyncio.run(play(fault, size, seed + turn))


def say(words: str) -> None:
    """Progress, beside the table."""
    print(words, file=sys.stderr, flush=True)


def row(outcome: Outcome) -> str:
    """One line of the table."""
    counts, fault = outcome.counts, outcome.fault
    announced = ", ".join(f"{counts[kind]} {kind}" for kind in ("gap", "reset", "bye") if counts[kind])
    result = "pass" if outcome.passed else "**" + "; ".join(wrong(outcome)) + "**"
    heal = "–" if outcome.heal_s is None else f"{outcome.heal_s:.2f} s"
    figures = f"{counts['recv']:,} | {counts['fail']} | {counts['unknown']} | {announced or '–'}"
    return (
        f"| {fault.id} | {fault.title} | {result} | {heal} | {figures} | {', '.join(outcome.notes) or '–'} |"
    )


def wrong(outcome: Outcome) -> Iterable[str]:
    """What was wrong, at most three things of each kind."""
    return [*outcome.complaints[:3], *outcome.violations[:3], f"{len(outcome.violations)} violations"]


def main() -> int:
    """Play, show, and say by the exit code whether all was well."""
    wanted = options()
    seed = randrange(10**6) if wanted.seed is None else wanted.seed
    raise_limits()
    own_network()
    print(f"{description()}; seed {seed}\n", flush=True)
    if wanted.soak:
        people = LIGHT if wanted.light else {}
        soaking = soak(wanted.soak, seed=seed, stoppable=True, observed=wanted.observed, **people)
        soaked = asyncio.run(soaking)
        print(table(soaked))
        return 130 if soaked.seconds < wanted.soak else int(not soaked.passed)
    print(HEAD, flush=True)
    played, stopped = [], False
    try:
        for outcome in outcomes(wanted, seed):
            played.append(outcome)
            print(row(outcome), flush=True)
    except KeyboardInterrupt:
        stopped = True
    if wanted.json:
        write(played, wanted.json)
    return 130 if stopped else int(not all(outcome.passed for outcome in played))


def write(played: list[Outcome], path: str) -> None:
    """The outcomes as JSON, one object each."""
    records = [
        vars(each) | {"fault": each.fault.id, "title": each.fault.title, "passed": each.passed}
        for each in played
    ]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(records, file, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
