"""What the report says, in the chosen language, and its first sentence: the answer."""

import re
from collections.abc import Callable, Sequence

from lab.languages import CHINESE, ENGLISH, catalogue
from lab.results.format import count, seconds
from lab.results.rounds import by_mode, median_over_rounds
from lab.results.runs import Run
from lab.results.table import conditions, extra, link, verdicts
from lab.results.workers import bound, same_machine

FIGURES = {ENGLISH: "en", CHINESE: "zh"}
"""The languages that the texts in figures have; any other language has figures in English."""
KNOWN_VALUES = ("poisson", "periodic", "browser", "bare")
"""Values of conditions that have a text."""


class Say:
    """The report's texts in one language: the keys of the catalogue without `report.`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.figures = FIGURES.get(language, FIGURES[ENGLISH])

    def __call__(self, key: str, **values: object) -> str:
        """A text, with its values."""
        return catalogue(self.language)[f"report.{key}"].format(**values)

    def mode(self, mode: str) -> str:
        """A technique's title."""
        return catalogue(self.language)[f"title.{mode}"]


def answer(runs: Sequence[Run], say: Say) -> str:
    """The result in one sentence: the fewest and the most bytes for a message, and the delays."""
    each = _known(runs, lambda run: run.per_delivery(run.socket_bytes))
    late = _known(runs, lambda run: run.latency_s["mean"])
    if not each or not late:
        return say("answer.none")
    cheap, dear = min(each, key=each.__getitem__), max(each, key=each.__getitem__)
    first, last = min(late, key=late.__getitem__), max(late, key=late.__getitem__)
    own = _known(runs, lambda run: run.per_delivery(run.receive["payload_bytes"]))
    times = f"{each[cheap] / own[cheap]:.1f}" if own.get(cheap) else "?"
    names = {"cheap": cheap, "dear": dear, "first": first, "last": last, "mode": cheap}
    text = say(
        "answer.many" if len(each) > 1 else "answer.one",
        least=count(each[cheap]),
        most=count(each[dear]),
        soonest=_apart(seconds(late[first])),
        latest=_apart(seconds(late[last])),
        own=count(own.get(cheap)),
        times=times,
        **{name: say.mode(mode) for name, mode in names.items()},
    )
    return text[0].upper() + text[1:]


def _apart(text: str) -> str:
    """A time with a space before its unit, as in a sentence."""
    return re.sub(r"(\d)(\D+)$", r"\1 \2", text)


def _known(runs: Sequence[Run], figure: Callable[[Run], float | None]) -> dict[str, float]:
    """A figure of each technique that has it."""
    found = {mode: median_over_rounds(rounds, figure) for mode, rounds in by_mode(runs).items()}
    return {mode: value for mode, value in found.items() if value is not None}


def conditions_line(run: Run, say: Say) -> str:
    """All conditions in one line; in English as on the terminal."""
    if say.language == ENGLISH:
        return " ".join(conditions(run).split())
    values = {name: _value(value, say) for name, value in run.conditions.items()}
    line = say("conditions.line", **values, link=_link(run, say))
    return " · ".join([line, *extra(run.conditions)])


def _value(value: object, say: Say) -> str:
    if value in KNOWN_VALUES:
        return say(f"value.{value}")
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _link(run: Run, say: Say) -> str:
    """The link: on loopback, with a round trip that was added, or as the terminal describes it."""
    c = run.conditions
    if run.engine:
        return say("link.workers", n=len(run.engine["workers"]), address=run.engine["address"])
    if c.get("proxy") or c.get("bandwidth"):
        return link(c)
    return say("link.rtt", n=f"{1000 * c['rtt_s']:g}") if c["rtt_s"] else say("link.loopback")


def verdict_lines(runs: Sequence[Run], say: Say) -> list[str]:
    """Whether all messages arrived, and how well clocks agree; what went wrong is said as in the terminal."""
    if all(run.clean and not run.missing and not run.partial and not run.refused for run in runs):
        return [say("clean", deliveries=count(sum(run.delivered for run in runs))), *_clocks(runs, say)]
    return [*verdicts(runs), *_clocks(runs, say)]


def _clocks(runs: Sequence[Run], say: Say) -> list[str]:
    """How well the clocks of several machines agree, and the delays that need only one of them."""
    if not any(run.engine for run in runs):
        return []
    own = _known(runs, same_machine("p50"))
    figures = " · ".join(f"{say.mode(mode)} {_apart(seconds(value))}" for mode, value in own.items())
    lines = [say("clocks", bound=_apart(seconds(bound(runs))))]
    return [*lines, *([say("same_machine", figures=figures)] if figures else [])]
